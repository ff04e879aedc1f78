//! Floats are the same on every machine: where a processor may choose the bits of a NaN, the compiler writes the
//! canonical one; and what may come out otherwise on another processor is refused.

use ordain_hosts::wasm::WasmHost;

use super::component::Wat;
use super::hostile::invoking;
use super::world::compile;

/// From 128 on, two floats that are not numbers and say why, with a sign; from 144 on, the same of twice the length.
const PAYLOADS: &str = r#"
    (i64.store (i32.const 128) (i64.const 0xffa0_1234_ffa0_1234))
    (i64.store (i32.const 136) (i64.const 0xffa0_1234_ffa0_1234))
    (i64.store (i32.const 144) (i64.const 0xfff4_0000_0000_1234))
    (i64.store (i32.const 152) (i64.const 0xfff4_0000_0000_1234))"#;
const F32: &str = "(f32.load (i32.const 128))";
const F64: &str = "(f64.load (i32.const 144))";

/// The call goes on only if these bits are those.
fn must_be(bits: &str, canonical: &str) -> String {
    format!("(if (i64.ne {bits} (i64.const {canonical})) (then unreachable))")
}

/// `null`, if each of these operations gives the canonical NaN.
#[track_caller]
fn is_canonical(operation: &str, bits: &str, canonical: &str) {
    let check = must_be(bits, canonical);
    let mut world = invoking(
        &[],
        "",
        &format!("{PAYLOADS} {check} (call $ok (i32.const 16) (i32.const 4))"),
    );
    let outcome = world.run("thing/x", "run", "{}");
    assert_eq!(
        outcome,
        ordain_types::Outcome::Value("null".to_owned().into()),
        "{operation}"
    );
}

#[test]
fn a_nan_that_comes_of_an_operation_is_the_canonical_one() {
    for operation in ["add", "sub", "mul", "div", "min", "max"] {
        let f32 = format!("(f32.{operation} {F32} (f32.const 2))");
        let bits = format!("(i64.extend_i32_u (i32.reinterpret_f32 {f32}))");
        is_canonical(&f32, &bits, "0x7fc0_0000");
        let f64 = format!("(f64.{operation} (f64.const 2) {F64})");
        is_canonical(
            &f64,
            &format!("(i64.reinterpret_f64 {f64})"),
            "0x7ff8_0000_0000_0000",
        );
    }
    for operation in ["sqrt", "ceil", "nearest"] {
        let f64 = format!("(f64.{operation} {F64})");
        is_canonical(
            &f64,
            &format!("(i64.reinterpret_f64 {f64})"),
            "0x7ff8_0000_0000_0000",
        );
    }
    // What no one has written: zero by zero, which processors of one kind give a sign and others not.
    let zero = "(f64.convert_i64_s (i64.load (i32.const 256)))";
    let f64 = format!("(f64.div {zero} {zero})");
    is_canonical(
        &f64,
        &format!("(i64.reinterpret_f64 {f64})"),
        "0x7ff8_0000_0000_0000",
    );
}

#[test]
fn so_is_one_that_changes_its_length() {
    let f64 = format!("(f64.promote_f32 {F32})");
    is_canonical(
        &f64,
        &format!("(i64.reinterpret_f64 {f64})"),
        "0x7ff8_0000_0000_0000",
    );
    let f32 = format!("(f32.demote_f64 {F64})");
    let bits = format!("(i64.extend_i32_u (i32.reinterpret_f32 {f32}))");
    is_canonical(&f32, &bits, "0x7fc0_0000");
}

#[test]
fn so_are_those_of_several_at_once() {
    for (ty, at, canonical) in [
        ("f32x4", 128, "0x7fc0_0000_7fc0_0000"),
        ("f64x2", 144, "0x7ff8_0000_0000_0000"),
    ] {
        let loaded = format!("(v128.load (i32.const {at}))");
        for operation in ["add", "mul", "max"] {
            let vector = format!("({ty}.{operation} {loaded} {loaded})");
            for lane in [0, 1] {
                let bits = format!("(i64x2.extract_lane {lane} {vector})");
                is_canonical(&vector, &bits, canonical);
            }
        }
    }
}

/// What these give is a processor's choice.
#[test]
fn relaxed_instructions_are_refused() {
    let vector = "(v128.load (i32.const 128))";
    for instruction in [
        format!("f32x4.relaxed_madd {vector} {vector} {vector}"),
        format!("f64x2.relaxed_nmadd {vector} {vector} {vector}"),
        format!("i8x16.relaxed_swizzle {vector} {vector}"),
        format!("i32x4.relaxed_trunc_f32x4_s {vector}"),
        format!("i16x8.relaxed_q15mulr_s {vector} {vector}"),
    ] {
        let wat = Wat {
            items: format!("(func (drop ({instruction})))"),
            ..Wat::default()
        };
        let error = compile(&WasmHost::new(None), wat.build()).expect_err(&instruction);
        let words = ["does not compile", "relaxed SIMD"];
        let said = words.iter().all(|words| error.message.contains(words));
        assert!(said, "{instruction}: {error}");
    }
}
