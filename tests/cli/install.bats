# SPDX-License-Identifier: MIT
# make install and uninstall, also into folders whose names have spaces.
# Not under tsan: no thread is started here.
load common

# Nothing is built: what has been is taken as it is. And no manual, which takes its time.
make_quietly() {
    mkdir -p tools
    for tool in make install cp ln printf rm sed grep sh pkg-config; do ln -sf "$(command -v $tool)" tools/$tool; done
    PATH=$PWD/tools make -s -o all -C "$BATS_TEST_DIRNAME/../.." "$@" BUILD="$VAE_BUILD" >make.txt 2>&1 ||
        { cat make.txt; return 1; }
}

files_in() { (cd "$1" && find . ! -type d ! -path './share/doc/*' | LC_ALL=C sort | tr '\n' ' '); }

@test "install and uninstall, with spaces in DESTDIR and PREFIX" {
    make_quietly install DESTDIR="$PWD/a b" PREFIX="/my own"
    [ "$(cat make.txt)" = "no help2man: the manual pages are not installed" ]
    headers=$(cd "$BATS_TEST_DIRNAME/../../include" && printf './include/%s\n' *.h | LC_ALL=C sort | tr '\n' ' ')
    [ "$(files_in "a b/my own")" = "./bin/vaectl ${headers}./lib/libvae.a ./lib/libvae.so ./lib/libvae.so.0 \
./lib/pkgconfig/vae.pc ./share/bash-completion/completions/vaectl " ] || { files_in "a b/my own"; return 1; }
    [ "$(find . -maxdepth 1 -name 'a*')" = "./a b" ]
    [ "$(vaectl --version)" = "$("a b/my own/bin/vaectl" --version)" ]
    [ "$(readlink "a b/my own/lib/libvae.so")" = libvae.so.0 ]
    diff -r "$BATS_TEST_DIRNAME/../../docs" "a b/my own/share/doc/vaectl/docs"
    bash -n "a b/my own/share/bash-completion/completions/vaectl"
    make_quietly uninstall DESTDIR="$PWD/a b" PREFIX="/my own"
    [ -z "$(find "a b" ! -type d)" ]
}

@test "vae.pc names the folders of PREFIX" {
    command -v pkg-config || skip "no pkg-config"
    for prefix in "$PWD/plain" "$PWD/my own"; do
        make_quietly install PREFIX="$prefix"
        export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
        [ "vaectl $(pkg-config --modversion vae)" = "$(vaectl --version | head -n 1)" ]
        eval "set -- $(pkg-config --cflags --libs vae)"
        printf '%s\n' "$@" >flags
        grep -qxF -- "-I$prefix/include" flags
        grep -qxF -- "-L$prefix/lib" flags
        grep -qxF -- -lvae flags
    done
}
