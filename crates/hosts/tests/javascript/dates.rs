//! Dates are of UTC, whatever the machine's time zone is and however a date is spelled.

use std::process::Command;

use crate::module_state::value;
use crate::world::World;

/// What is given to `new Date`, and what comes of it.
const SPELLINGS: [(&str, &str); 56] = [
    ("'01-Jan-2024'", "2024-01-01T00:00:00.000Z"),
    ("'Jan-01-2024'", "2024-01-01T00:00:00.000Z"),
    ("'1-1-2024'", "2024-01-01T00:00:00.000Z"),
    ("'12-25-1995'", "1995-12-25T00:00:00.000Z"),
    ("'12/25/1995'", "1995-12-25T00:00:00.000Z"),
    ("'2024/01/01-10:00'", "2024-01-01T10:00:00.000Z"),
    ("'2024/01/01 10:00'", "2024-01-01T10:00:00.000Z"),
    ("'2024-05-01'", "2024-05-01T00:00:00.000Z"),
    ("'2024-05'", "2024-05-01T00:00:00.000Z"),
    ("'2024'", "2024-01-01T00:00:00.000Z"),
    ("'2024-05-01T10:00'", "2024-05-01T10:00:00.000Z"),
    ("'2024-05-01T10:00:00'", "2024-05-01T10:00:00.000Z"),
    (
        "'2024-05-01T10:00:00.123456789'",
        "2024-05-01T10:00:00.123Z",
    ),
    ("'2024-05-01T10:00:00.123Z'", "2024-05-01T10:00:00.123Z"),
    ("'2024-05-01T10:00:00+02:00'", "2024-05-01T08:00:00.000Z"),
    ("'2024-05-01T10:00-0530'", "2024-05-01T15:30:00.000Z"),
    ("'2024-05-01T10:00:00.' + '1'.repeat(200)", "Invalid Date"),
    ("'+002024-05-01T10:00'", "2024-05-01T10:00:00.000Z"),
    ("'2024-05-01 10:00'", "2024-05-01T10:00:00.000Z"),
    ("'2024-00-02'", "Invalid Date"),
    ("'2024-13-02'", "Invalid Date"),
    ("'2024-01-32'", "Invalid Date"),
    ("'2024-01-00'", "Invalid Date"),
    ("'2024-01-32T10:00'", "Invalid Date"),
    ("'2024-1-32 10:00'", "Invalid Date"),
    ("'2024/01/32'", "Invalid Date"),
    ("'32/01/2024'", "Invalid Date"),
    ("'00/10/2024'", "Invalid Date"),
    ("'12/32/2024'", "Invalid Date"),
    ("'32-01-2024'", "Invalid Date"),
    ("'2024/1/2 10:00'", "2024-01-02T10:00:00.000Z"),
    ("'2024-02-30'", "2024-03-01T00:00:00.000Z"),
    ("'May 1 2024'", "2024-05-01T00:00:00.000Z"),
    ("'May 1 2024 10:00'", "2024-05-01T10:00:00.000Z"),
    ("'May 1 2024 10:00 PM'", "2024-05-01T22:00:00.000Z"),
    ("'May 1 2024 10:00 GMT+0200'", "2024-05-01T08:00:00.000Z"),
    ("'May 1 2024 10:00 +0200'", "2024-05-01T08:00:00.000Z"),
    (
        "'May 1 2024 10:00 UTC (whatever)'",
        "2024-05-01T10:00:00.000Z",
    ),
    ("'May 1 2024 10:00 EST'", "2024-05-01T15:00:00.000Z"),
    ("'May 1 2024 10:00 PDT'", "2024-05-01T17:00:00.000Z"),
    ("'May 1 2024 10:00 XYZ'", "Invalid Date"),
    ("'10:00'", "Invalid Date"),
    ("'GMT'", "Invalid Date"),
    ("''", "Invalid Date"),
    (
        "'Wed, 01 May 2024 10:00:00 GMT'",
        "2024-05-01T10:00:00.000Z",
    ),
    (
        "'Wed May 01 2024 10:00:00 GMT+0000 (Coordinated Universal Time)'",
        "2024-05-01T10:00:00.000Z",
    ),
    ("['2024-05-01T10:00:00']", "2024-05-01T10:00:00.000Z"),
    ("[2024, 5, 7]", "2024-05-07T00:00:00.000Z"),
    (
        "new String('2024-05-01T10:00:00')",
        "2024-05-01T10:00:00.000Z",
    ),
    (
        "{ toString() { return 'May 1 2024'; } }",
        "2024-05-01T00:00:00.000Z",
    ),
    (
        "{ valueOf: () => 5, toString: () => 'May 1 2024' }",
        "1970-01-01T00:00:00.005Z",
    ),
    (
        "{ [Symbol.toPrimitive]: (hint) => hint === 'default' ? 'May 1 2024' : 0 }",
        "2024-05-01T00:00:00.000Z",
    ),
    (
        "Object.defineProperty(new Date(5), 'toString', { value: () => 'May 1 2024' })",
        "1970-01-01T00:00:00.005Z",
    ),
    ("2024, 4, 1, 10", "2024-05-01T10:00:00.000Z"),
    ("null", "1970-01-01T00:00:00.000Z"),
    ("undefined", "Invalid Date"),
];

#[test]
fn dates_are_of_utc_however_they_are_spelled() {
    let methods = SPELLINGS.iter().enumerate().map(|(at, (what, _))| {
        format!(
            "m{at}() {{ const d = new Date({what}); return [isNaN(d) ? 'Invalid Date' : d.toISOString(), Object.is(d.getHours(), d.getUTCHours())]; }},\n"
        )
    });
    let methods: String = methods.collect();
    let parses = "parses: () => [Date.parse('1-1-2024'), Date.parse(['2024-05-01T10:00']), Date.parse({ toString: () => '2024-05-01 10:00' })],\n";
    let mut world = World::new(&format!(
        "import {{ entity }} from 'ordain';\nexport const a = entity({{}}, {{\n{parses}{methods}}});\n"
    ));
    for (at, (what, is)) in SPELLINGS.iter().enumerate() {
        let value = world.value(&format!("a/x.m{at}"), "");
        assert_eq!(value, format!("[\"{is}\",true]"), "{what}");
    }
    assert_eq!(
        world.value("a/x.parses", ""),
        "[1704067200000,1714557600000,1714557600000]"
    );
}

/// The same, where it is another time.
#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "the zone is one of a process, and set before that begins"
)]
fn dates_do_not_depend_on_the_time_zone_of_the_machine() {
    for zone in ["EST5EDT4,M3.2.0,M11.1.0", "America/New_York", "XST-14"] {
        let tests = std::env::current_exe().expect("a program runs");
        let run = Command::new(tests)
            .args([
                "--exact",
                "dates::dates_are_of_utc_however_they_are_spelled",
            ])
            .env("TZ", zone)
            .output()
            .expect("it runs again");
        let says = String::from_utf8_lossy(&run.stdout);
        assert!(
            run.status.success() && says.contains("1 passed"),
            "{zone}: {says}{}",
            String::from_utf8_lossy(&run.stderr)
        );
    }
}

#[test]
fn all_that_a_date_says_is_of_utc() {
    let does = "const d = new Date(2020, 0, 2, 3, 4, 5, 6); return [d.toISOString(), d.getHours(), d.getTimezoneOffset(), \
                String(d), new Date(\"2020-01-02T03:04\").getTime(), new Date(\"Jan 2 2020 03:04\").getTime(), \
                new Date(\"2020-01-02T03:04+01:00\").getTime(), new Date(\"2020-01-02\").getTime(), Date(), \
                new Date(2020, 5).getMonth(), new Date(0).toLocaleString(), d instanceof Date, new Date(NaN).toString()];";
    let expected = concat!(
        r#"["2020-01-02T03:04:05.006Z",3,0,"Thu Jan 02 2020 03:04:05 GMT+0000 (Coordinated Universal Time)","#,
        r#"1577934240000,1577934240000,1577930640000,1577923200000,"#,
        r#""Thu Jan 01 1970 00:00:01 GMT+0000 (Coordinated Universal Time)",5,"Thu, 01 Jan 1970 00:00:00 GMT",true,"Invalid Date"]"#
    );
    value("", does, expected);
}
