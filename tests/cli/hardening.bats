# SPDX-License-Identifier: MIT
# What the compiler and the linker were asked to put between a mistake and its misuse, read from the files that they
# made; and what a program that reads hostile files has no use for.
load common

setup() {
    cd "$BATS_TEST_TMPDIR"
    command -v readelf >/dev/null || skip "no readelf"
    if readelf --dyn-syms -W "$VAECTL" | grep -q '__[at]san_init'; then skip "a build for a checker is not hardened"; fi
    SHARED=$VAE_BUILD/libvae.so.0
    [ "$(uname -m)" != x86_64 ] || X86=1
}

# Names of the functions that a file takes from shared libraries, without versions.
imports() { readelf --dyn-syms -W "$1" | awk '$7 == "UND" && $8 { sub(/@.*/, "", $8); print $8 }' | sort -u; }

# The object files that call a function.
users() { (cd "$VAE_BUILD/src" && find . -name '*.o' | while read -r o; do if nm -u "$o" | grep -qw "$1"; then echo "$o"; fi; done); }

@test "the program is position-independent; relocations are read-only once it runs, and no stack is executable" {
    readelf -hW "$VAECTL" | grep -q 'Type: *DYN'
    readelf -dW "$VAECTL" | grep -q 'FLAGS_1.* PIE'
    for file in "$VAECTL" "$SHARED"; do
        readelf -dW "$file" | grep -q 'FLAGS_1.* NOW'
        readelf -lW "$file" | grep -q ' GNU_RELRO '
        readelf -lW "$file" | grep ' GNU_STACK ' | grep -q ' RW  '
        [ -z "$(readelf -lW "$file" | grep ' RWE ')" ]
        [ -z "$(readelf -dW "$file" | grep TEXTREL)" ]
    done
}

@test "calls that write into buffers are checked, and so are returns" {
    for file in "$VAECTL" "$SHARED"; do
        imports "$file" >names
        for name in __snprintf_chk __vsnprintf_chk __memcpy_chk __stack_chk_fail; do grep -qx "$name" names; done
    done
}

@test "jumps and returns end where they should, and large frames touch each of their pages" {
    [ -n "${X86:-}" ] || skip "of x86 alone"
    command -v objdump >/dev/null || skip "no objdump"
    # The program itself has the property where the system's own start files have it.
    find "$VAE_BUILD/src" "$VAE_BUILD/template.o" "$VAE_BUILD/report.o" -name '*.o' >objects
    while read -r object; do
        readelf -n "$object" | grep -q 'x86 feature: IBT, SHSTK' || { echo "$object"; false; }
    done <objects
    # vae_fail has 8 KB of text on its stack.
    objdump -d "$VAE_BUILD/src/base/error.o" | awk '/<vae_fail>:/, /ret/' | grep -qE 'or[ql] +\$0x0,(0x[0-9a-f]+)?\(%rsp'
}

@test "no network, no shell, no program but itself; shared objects are opened in one place" {
    local network='socket|socketpair|connect|bind|listen|accept4?|send(to|msg)?|recv(from|msg)?|getaddrinfo|gethostby.*|res_.*'
    local others='system|popen|wordexp|exec[lv].*|posix_spawnp?|dlmopen|mktemp|tmpnam|gets|strcat|sprintf'
    for file in "$VAECTL" "$SHARED"; do
        [ -z "$(imports "$file" | grep -xE "$network|$others")" ]
    done
    [ -z "$(imports "$SHARED" | grep -xE 'fexecve|v?fork')" ]
    [ "$(users dlopen)" = ./prior/plugin.o ]
    [ "$(users fexecve | sort | xargs)" = "./cli/compare_jobs.o ./cli/main.o" ]
}
