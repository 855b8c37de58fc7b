/* SPDX-License-Identifier: MIT */
#include "data/unpack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"

enum { RAW = 1 << 16, MOST_AT_ONCE = 1 << 30, GZIP_ONLY = 15 + 16 };

enum fault { NONE, CUT, DAMAGED, TRAILING, NO_MEMORY, UNREADABLE };

struct unpacking {
    int file, error; /* errno of what is UNREADABLE */
    bool packed, ended;
    enum fault fault;
    z_stream z; /* its input is what was read of the file and not used yet */
    uint8_t raw[RAW];
};

/* Is there a byte of the file to use? */
static bool has_input(struct unpacking *u)
{
    if (u->z.avail_in || u->fault) return u->z.avail_in;
    ssize_t got;
    RETRY(got, read(u->file, u->raw, sizeof u->raw));
    if (got < 0) u->fault = UNREADABLE, u->error = errno;
    u->z.next_in = u->raw;
    u->z.avail_in = got > 0 ? (uInt)got : 0;
    return got > 0;
}

/* Behind a member: another one, zeros to the end, or what is none of a gzip file. */
static void begin_next(struct unpacking *u)
{
    if (has_input(u) && *u->z.next_in == 0x1f) {
        inflateReset(&u->z);
        return;
    }
    u->ended = true;
    for (; has_input(u) && !u->fault; u->z.next_in++, u->z.avail_in--)
        if (*u->z.next_in) u->fault = TRAILING;
}

static void inflate_some(struct unpacking *u)
{
    if (!has_input(u)) {
        if (!u->fault) u->fault = CUT;
        return;
    }
    switch (inflate(&u->z, Z_NO_FLUSH)) {
    case Z_OK:
    case Z_BUF_ERROR: break;
    case Z_STREAM_END: begin_next(u); break;
    case Z_MEM_ERROR: u->fault = NO_MEMORY; break;
    default: u->fault = DAMAGED;
    }
}

static size_t unpack_some(struct unpacking *u, uint8_t *bytes, size_t size)
{
    u->z.next_out = bytes;
    u->z.avail_out = (uInt)size;
    while (u->z.avail_out && !u->ended && !u->fault) inflate_some(u);
    return size - u->z.avail_out;
}

static size_t copy_some(struct unpacking *u, uint8_t *bytes, size_t size)
{
    if (!has_input(u)) return 0;
    const size_t n = size < u->z.avail_in ? size : u->z.avail_in;
    memcpy(bytes, u->z.next_in, n);
    u->z.next_in += n;
    u->z.avail_in -= (uInt)n;
    return n;
}

size_t unpack_read(struct unpacking *u, uint8_t *bytes, size_t size)
{
    size_t done = 0, got = 1;
    for (; done < size && got; done += got) {
        const size_t left = size - done < MOST_AT_ONCE ? size - done : MOST_AT_ONCE;
        got = u->packed ? unpack_some(u, bytes + done, left) : copy_some(u, bytes + done, left);
    }
    return done;
}

void unpack_rewind(struct unpacking *u)
{
    u->z.avail_in = 0;
    u->ended = false;
    u->fault = NONE;
    if (u->packed) inflateReset(&u->z);
    if (lseek(u->file, 0, SEEK_SET)) u->fault = UNREADABLE, u->error = errno;
}

struct unpacking *unpack_open(int file)
{
    struct unpacking *u = mem_new(1, sizeof *u, NULL);
    if (!u) {
        close(file);
        return NULL;
    }
    u->file = file;
    u->packed = has_input(u) && u->z.avail_in > 1 && u->raw[0] == 0x1f && u->raw[1] == 0x8b;
    if (u->packed && inflateInit2(&u->z, GZIP_ONLY) != Z_OK) {
        u->packed = false;
        unpack_close(u);
        return NULL;
    }
    return u;
}

void unpack_close(struct unpacking *u)
{
    if (u->packed) inflateEnd(&u->z);
    close(u->file);
    free(u);
}

bool unpack_is_packed(const struct unpacking *u) { return u->packed; }

vae_status unpack_status(const struct unpacking *u, const char *path, vae_error *err)
{
    switch (u->fault) {
    case CUT: return vae_fail(err, VAE_E_DATA, "%s: file ends too early (the download or copy was cut off)", path);
    case DAMAGED: return vae_fail(err, VAE_E_DATA, "%s: damaged gzip data (a checksum or code in it is wrong)", path);
    case TRAILING: return vae_fail(err, VAE_E_DATA, "%s: more behind its gzip data (expected its end, or zeros)", path);
    case NO_MEMORY: return vae_fail(err, VAE_E_MEMORY, "%s: out of memory", path);
    case UNREADABLE: return vae_fail(err, VAE_E_DATA, "%s: cannot read: %s", path, strerror(u->error));
    case NONE: break;
    }
    return VAE_OK;
}
