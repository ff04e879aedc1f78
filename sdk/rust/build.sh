#!/usr/bin/env bash
# Builds a crate of entities as a module to deploy: sdk/rust/build.sh PACKAGE OUT.wasm [CARGO OPTION…]
#
# Run it in the crate's workspace. The crate has `ordain::export!(…)` in its library, and `ordain` with the
# feature `guest`. Needs a Rust toolchain with the standard library for wasm32-unknown-unknown
# (`rustup target add wasm32-unknown-unknown`); where there is none to be had, Debian's packages rustc-web,
# cargo-web, rust-web-src and lld, which build the standard library from its source.
# And `wasm-tools`, or this repository's own `componentize`, to make a component of what the linker gives.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
[ $# -ge 2 ] || { echo "usage: sdk/rust/build.sh PACKAGE OUT.wasm [CARGO OPTION…]" >&2; exit 2; }
package=$1
out=$2
shift 2
target=wasm32-unknown-unknown
target_dir=${CARGO_TARGET_DIR:-target}/modules

cargo=(cargo)
environment=()
std=()
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    if [ -d /usr/lib/rustlib/src/rust/library ] && [ -x /usr/bin/cargo ]; then
        linker=${CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER:-lld}
        environment=(RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$linker")
        cargo=(/usr/bin/cargo)
        std=("-Zbuild-std=std,panic_abort")
    else
        echo "no standard library for $target: \`rustup target add $target\`, or on Debian" \
            "\`apt-get install rustc-web cargo-web rust-web-src lld\`" >&2
        exit 1
    fi
fi

# The profile is this script's, for no workspace but its own would have it.
profile=(--profile module)
for setting in 'inherits="release"' opt-level=3 'lto="fat"' codegen-units=1 'panic="abort"' debug=false \
    overflow-checks=true; do
    profile+=(--config "profile.module.$setting")
done

# Panics name their place. Where this machine keeps its sources is none of the module's business, and would
# make another file of the same sources elsewhere.
remap=()
for path in "${CARGO_HOME:-$HOME/.cargo}/registry/src=registry" "${CARGO_HOME:-$HOME/.cargo}/git/checkouts=git" \
    "$here=ordain" "$(pwd -P)=."; do
    remap+=("\"--remap-path-prefix=$path\",")
done
profile+=(--config "target.$target.rustflags=[${remap[*]}]")

env "${environment[@]}" "${cargo[@]}" rustc --package "$package" --lib --crate-type cdylib "${profile[@]}" \
    --target "$target" --target-dir "$target_dir" "${std[@]}" "$@" -- -C link-arg=-zstack-size=262144
core=$target_dir/$target/module/${package//-/_}.wasm

if command -v wasm-tools >/dev/null; then
    wasm-tools component new "$core" --output "$out"
else
    cargo run --quiet --manifest-path "$here/Cargo.toml" --package ordain-hosts --example componentize -- \
        "$core" "$out"
fi
