/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { BLOCK = 1 << 14, ALIGNMENT = alignof(max_align_t) };

/* Memory is taken from blocks, and given back when all of them are. */
struct block {
    struct block *next;
    size_t size, used;
    alignas(max_align_t) char bytes[];
};

struct work {
    struct block *blocks;
    jmp_buf left;
};

/* jansson has one allocator for the whole process. Ours is in front of what was there before, to which it leaves all
 * but the threads that are in json_run. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static json_malloc_t other_malloc;
static json_free_t other_free;
static _Thread_local struct work *current;

static struct block *add_block(struct work *work, size_t size)
{
    const size_t room = size > BLOCK ? size : BLOCK;
    struct block *block = room < SIZE_MAX - sizeof *block ? malloc(sizeof *block + room) : NULL;
    if (!block) longjmp(work->left, 1);
    *block = (struct block){.next = work->blocks, .size = room};
    return work->blocks = block;
}

static void *take(size_t size)
{
    struct work *work = current;
    if (!work) return other_malloc(size);
    const size_t padded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct block *block = work->blocks;
    if (!block || padded > block->size - block->used) block = add_block(work, padded);
    block->used += padded;
    return block->bytes + block->used - padded;
}

static void give_back(void *memory)
{
    if (!current) other_free(memory);
}

/* The host may have set another allocator since. */
static void use_allocator(void)
{
    json_malloc_t now_malloc;
    json_free_t now_free;
    pthread_mutex_lock(&lock);
    json_get_alloc_funcs(&now_malloc, &now_free);
    if (now_malloc != take) {
        other_malloc = now_malloc;
        other_free = now_free;
        json_set_alloc_funcs(take, give_back);
    }
    pthread_mutex_unlock(&lock);
}

/* In a frame of its own, as setjmp leaves the values of local variables open. */
static bool run_to_end(struct work *work, vae_status (*function)(void *), void *context, vae_status *status)
{
    if (setjmp(work->left)) return false;
    *status = function(context);
    return true;
}

vae_status json_run(vae_status (*function)(void *context), void *context, const char *name, vae_error *err)
{
    struct work work = {0}, *outer = current;
    vae_status status;
    use_allocator();
    current = &work;
    const bool whole = run_to_end(&work, function, context, &status);
    current = outer;
    if (!whole) status = vae_fail(err, VAE_E_MEMORY, "%s: out of memory", name);
    for (struct block *block; (block = work.blocks); free(block)) work.blocks = block->next;
    return status;
}
