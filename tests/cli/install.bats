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

# GCC exports a function of several versions whatever its visibility is, and so a program's own took its place.
@test "a program may have functions with the names of the library's own" {
    not_under "the program here has no checker" asan tsan
    command -v nm && command -v "${CC:-cc}" || skip "no compiler"
    local include="$BATS_TEST_DIRNAME/../../include" own
    nm -g --defined-only "$VAE_BUILD/libvae.a" | sed -n 's/^[0-9a-f]* T //p' | grep -v '^vae_' | sort -u >names
    [ "$(wc -l <names)" -gt 200 ]
    cat >host.c <<'END'
#include <stdlib.h>
#include <vae.h>
int main(void)
{
    vae_error err;
    vae_data *data = NULL;
    vae_model *model = NULL;
    vae_config config;
    vae_config_defaults(&config);
    vae_status status = vae_data_open(&data, "builtin:digits:train=60,test=10", 0, 0, 1, &err);
    if (!status) status = vae_config_set(&config, "hidden", "5", &err);
    if (!status) status = vae_config_set(&config, "epochs", "1", &err);
    if (!status) status = vae_model_new(&model, &config, 28, 28, &err);
    if (!status) status = vae_train(model, data, 1, NULL, NULL, &err);
    vae_model_free(&model);
    vae_data_free(&data);
    return status;
}
END
    while read -r own; do echo "void $own(void) { abort(); }"; done <names >>host.c
    for library in "-L$VAE_BUILD -l:libvae.so.0 -Wl,-rpath,$VAE_BUILD" \
        "$VAE_BUILD/static/libvae.a $(pkg-config --libs openblas zlib libpng jansson) -pthread -ldl -lm"; do
        # shellcheck disable=SC2086 # words
        "${CC:-cc}" -I"$include" host.c -rdynamic $library -o host
        OPENBLAS_NUM_THREADS=1 ./host
    done
    [ "$(nm -D --defined-only "$VAE_BUILD/libvae.so.0" | awk '$2 != "A" { print $3 }' | grep -vc '^vae_')" = 0 ]
}
