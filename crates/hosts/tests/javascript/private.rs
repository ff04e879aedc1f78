//! Classes with private methods: they may outlive the start, for nothing can be put on their functions.

use crate::module_state::{fault, module, value};
use crate::world::refused;

#[test]
fn private_methods_can_be_kept_and_called() {
    let class = "class C { n = 2; get double() { return this.#twice(this.n); } #twice(n: number) { return C.#times(n, this.#by); } get #by() { return 2; } static #times(a: number, b: number) { return a * b; } static of(it: any) { return #twice in it && it?.#twice!(3); } }";
    value(
        &format!("{class} const c = new C();"),
        "return [c.double, new C().double, C.of(c), C.of({})];",
        "[4,4,6,false]",
    );
    fault(&format!("{class} const c = new C();"), "c.n = 3;");
    fault(class, "(C.prototype as any).n = 3;");
    for use_ in [
        "(this.#m as any).n = 1;",
        "[1].map(this.#m);",
        "new (this.#m as any)();",
        "return class extends ((this.#m as any).n = Object) { #m = 1; };",
    ] {
        refused(
            &module(
                &format!("class C {{ #m() {{}} f(): any {{ {use_} }} }}"),
                "",
            ),
            "a private method can be called and nothing else",
        );
    }
    refused(
        &module("class C { *#g() {} f() { return this.#g(); } }", ""),
        "a.ts:2:11: a private generator has an object",
    );
}
