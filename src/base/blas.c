/* SPDX-License-Identifier: MIT
 *
 * OpenBLAS never returns a buffer to the system, it lends it to the next product. So buffers are made here before they
 * are needed, by taking as many as there are threads at the same time and giving them back. That there is room is found
 * out by a mapping of the same size. (With threads of its own, which OPENBLAS_NUM_THREADS=1 forbids, and vaectl too,
 * OpenBLAS asks for buffers when it is loaded, and nothing can be done here.) */
#include "base/blas.h"

#include <pthread.h>
#include <sys/mman.h>

/* Exported by every build of OpenBLAS, declared in none of its headers. Without them a buffer is made when the first
 * product needs it. */
__attribute__((weak)) void *blas_memory_alloc(int procedure);
__attribute__((weak)) void blas_memory_free(void *buffer);

/* Builds for 64 threads, such as Debian's, warn on stderr of more than 127 buffers. */
enum { MEGABYTES = 128, MOST_BUFFERS = 64 };

/* The library's only state outside its objects, as the buffers are OpenBLAS's only pool of them. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t registered; /* threads */
static size_t buffers;    /* known to be there */

static bool has_room(void)
{
    const size_t size = (size_t)MEGABYTES << 20;
    void *room = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return room != MAP_FAILED && !munmap(room, size);
}

/* Takes n buffers at once, which makes those that are missing; returns how many there was room for. */
static size_t make_buffers(size_t n)
{
    void *taken[MOST_BUFFERS];
    size_t made = 0;
    for (; made < n && has_room(); made++) taken[made] = blas_memory_alloc(0);
    for (size_t i = 0; i < made; i++) blas_memory_free(taken[i]);
    return made;
}

vae_status blas_register(size_t threads, vae_error *err)
{
    pthread_mutex_lock(&lock);
    const size_t wanted = registered + threads < MOST_BUFFERS ? registered + threads : MOST_BUFFERS;
    if (wanted > buffers) {
        const size_t made = blas_memory_alloc && blas_memory_free ? make_buffers(wanted) : wanted;
        if (made > buffers) buffers = made;
    }
    const bool enough = buffers >= wanted;
    if (enough) registered += threads;
    pthread_mutex_unlock(&lock);
    if (enough) return VAE_OK;
    return vae_fail(err, VAE_E_MEMORY,
                    "out of memory: OpenBLAS needs %d MB of address space for each of %zu threads (ulimit -v; fewer "
                    "threads need less)",
                    MEGABYTES, wanted);
}

void blas_unregister(size_t threads)
{
    pthread_mutex_lock(&lock);
    registered -= threads;
    pthread_mutex_unlock(&lock);
}
