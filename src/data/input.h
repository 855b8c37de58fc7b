/* SPDX-License-Identifier: MIT
 *
 * A file of data, plain or gzip, told apart by content, which is read once from its start to its end.
 *
 * Every byte is hostile. Sizes are checked before anything is allocated: a plain file must have exactly the announced
 * size, a compressed one cannot hold more than deflate's limit of 1032 bytes a byte. The
 * data counts as good only after its end was read, checked and closed. */
#ifndef VAE_INPUT_H
#define VAE_INPUT_H

#include "data/unpack.h"

struct input {
    const char *path;
    struct unpacking *bytes;
    size_t size; /* of the file */
    bool compressed;
    uint8_t start[4]; /* the first bytes of the data; reading begins with them, too */
};

/* Refuses what is no data at all: a page that a download left, gzip within gzip, less than four bytes. */
vae_status input_open(struct input *input, const char *path, vae_error *err);
/* `status`: of what was done with it. Where that was good, damage may still come out. */
vae_status input_close(struct input *input, vae_status status, vae_error *err);

/* Can the file hold as many bytes as its header announces? */
vae_status input_check_size(const struct input *input, size_t announced, vae_error *err);

/* Back to the first byte. */
vae_status input_rewind(const struct input *input, vae_error *err);
/* The next `size` bytes. */
vae_status input_read(const struct input *input, uint8_t *bytes, size_t size, vae_error *err);
/* The next `size` bytes, or as many as are left: for formats that do not say how long they are. */
vae_status input_read_some(const struct input *input, uint8_t *bytes, size_t size, size_t *got, vae_error *err);
/* The last `size` bytes, with which the file must end. There is room for one more. */
vae_status input_read_last(const struct input *input, uint8_t *bytes, size_t size, vae_error *err);
/* The same in memory that the caller frees. */
vae_status input_new_last(const struct input *input, uint8_t **bytes, size_t size, vae_error *err);
/* The same as the pixels of images; of a plain file with more than `most` of them they stay in the file, and a stream
 * takes their place. */
vae_status input_pixels(const struct input *input, vae_images *images, size_t size, size_t most, vae_error *err);

#endif
