/* SPDX-License-Identifier: MIT
 *
 * Folders of IDX files under the names of MNIST (KMNIST and Fashion-MNIST have the same ones), or those of EMNIST
 * (Cohen et al. 2017), which begin with a set:
 *
 *     train-images-idx3-ubyte     train-labels-idx1-ubyte     t10k-images-idx3-ubyte ...
 *     emnist-letters-train-images-idx3-ubyte ...              emnist-letters-test-images-idx3-ubyte ...
 *
 * plain or .gz, also with a dot for the dash before idx (as some mirrors have it). Of several sets in a folder the one
 * without a prefix is taken, else set=NAME chooses.
 *
 * The images of EMNIST lie on their sides in its files (rows are columns), so they are transposed here; and the labels
 * of its letters count from 1, so that here, where classes are 0, 1, ..., one is taken away. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/folder.h"
#include "data/idx.h"
#include "data/source.h"

/* ---- Names ------------------------------------------------------------------------------------------------------ */

/* Finds FOLDER/PREFIX SPLIT-KIND-idxR-ubyte in its forms. */
static bool find_file(char path[MAX_PATH], const char *folder, const char *prefix, const char *split, const char *kind,
                      int rank)
{
    for (int form = 0; form < 4; form++) {
        snprintf(path, MAX_PATH, "%s/%s%s-%s%cidx%d-ubyte%s", folder, prefix, split, kind, form < 2 ? '-' : '.', rank,
                 form % 2 ? ".gz" : "");
        if (!access(path, F_OK)) return true;
    }
    return false;
}

bool mnist_is_whole(const char *folder)
{
    char path[MAX_PATH];
    return find_file(path, folder, "", "train", "images", 3) && find_file(path, folder, "", "t10k", "images", 3);
}

enum { PREFIX = 256 };

/* What stands before train-images-idx3-ubyte in a name; false where that is not in it. */
static bool prefix_of(const char *name, char prefix[PREFIX])
{
    static const char *const ends[] = {"train-images-idx3-ubyte", "train-images-idx3-ubyte.gz",
                                       "train-images.idx3-ubyte", "train-images.idx3-ubyte.gz"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (has_suffix(name, ends[i])) {
            snprintf(prefix, PREFIX, "%.*s", (int)(strlen(name) - strlen(ends[i])), name);
            return true;
        }
    return false;
}

static bool is_emnist(const char *prefix) { return !strncmp(prefix, "emnist-", 7); }

/* The name of a set: its prefix without emnist- and the last dash. */
static void set_of(const char *prefix, char set[PREFIX])
{
    snprintf(set, PREFIX, "%s", prefix + (is_emnist(prefix) ? 7 : 0));
    const size_t length = strlen(set);
    if (length > 0 && set[length - 1] == '-') set[length - 1] = '\0';
}

/* The prefix of the set that is asked for, or of the only one; of several, "". */
static vae_status choose_set(const struct listing *listing, const char *wanted, char prefix[PREFIX], vae_error *err)
{
    char found[PREFIX], set[PREFIX], last[PREFIX] = "", list[256] = "";
    size_t sets = 0;
    *prefix = '\0';
    for (size_t i = 0; i < listing->n; i++) {
        if (!prefix_of(listing->name[i], found)) continue;
        set_of(found, set);
        if (*wanted ? !strcmp(set, wanted) : !*set) return strcpy(prefix, found), VAE_OK;
        if (sets > 0 && !strcmp(set, last)) continue; /* plain and compressed */
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%.40s", sets ? ", " : "",
                 *set ? set : "one unnamed");
        strcpy(last, set);
        strcpy(prefix, found);
        sets++;
    }
    if (*wanted)
        return vae_fail(err, VAE_E_USAGE, "%s: no set '%s' in it (there are: %s)", listing->folder, wanted,
                        sets ? list : "none");
    if (sets < 2) return VAE_OK;
    return vae_fail(err, VAE_E_USAGE, "%s: several sets in it: %s (%s:set=NAME takes one)", listing->folder, list,
                    listing->folder);
}

/* ---- EMNIST ----------------------------------------------------------------------------------------------------- */

static vae_status transpose(vae_images *images, vae_error *err)
{
    const size_t rows = images->cols, cols = images->rows, D = rows * cols;
    uint8_t *image = mem_new(D, 1, err);
    if (!image) return VAE_E_MEMORY;
    for (size_t i = 0; i < images->n; i++) {
        uint8_t *pixels = images->pixels + i * D;
        memcpy(image, pixels, D);
        for (size_t k = 0; k < D; k++) pixels[k] = image[k % cols * rows + k / cols];
    }
    free(image);
    images->rows = rows;
    images->cols = cols;
    return VAE_OK;
}

static vae_status count_from_zero(vae_images *images, const char *path, vae_error *err)
{
    for (size_t i = 0; i < images->n && images->labels; i++)
        if (images->labels[i]-- == 0)
            return vae_fail(err, VAE_E_DATA, "%s: label 0 (expected 1 to 26, as EMNIST counts letters)", path);
    return VAE_OK;
}

/* The characters that the labels of a set stand for; upper and lower case of some letters are one class. */
static vae_status name_characters(vae_data *data, const char *set, vae_error *err)
{
#define DIGITS  "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    static const char *const characters[][2] = {{"letters", LETTERS},
                                                {"digits", DIGITS},
                                                {"mnist", DIGITS},
                                                {"byclass", DIGITS LETTERS "abcdefghijklmnopqrstuvwxyz"},
                                                {"balanced", DIGITS LETTERS "abdefghnqrt"},
                                                {"bymerge", DIGITS LETTERS "abdefghnqrt"}};
    for (size_t i = 0; i < sizeof characters / sizeof *characters; i++) {
        const char *const of_set = characters[i][1];
        if (strcmp(set, characters[i][0])) continue;
        vae_status status = data_name_labels(data, strlen(of_set), err);
        for (size_t k = 0; !status && of_set[k]; k++) data->label_name[k][0] = of_set[k];
        return status;
    }
    return VAE_OK;
}

/* ---- A folder --------------------------------------------------------------------------------------------------- */

static vae_status open_split(vae_images *images, const char *folder, const char *prefix, const char *split, size_t most,
                             vae_error *err)
{
    char path[MAX_PATH], set[PREFIX];
    if (!find_file(path, folder, prefix, split, "images", 3))
        return vae_fail(err, VAE_E_DATA,
                        "%s: no file %s%s-images-idx3-ubyte or %s%s-images-idx3-ubyte.gz in it (expected the MNIST "
                        "file names, which scripts/fetch-mnist.sh fetches, CIFAR-10's .bin files, PNG files, train.npy "
                        "or train.csv)",
                        folder, prefix, split, prefix, split);
    vae_status status = idx_read_images(path, is_emnist(prefix) ? SIZE_MAX : most, images, err);
    if (!status && find_file(path, folder, prefix, split, "labels", 1))
        status = idx_read_labels(path, images->n, &images->labels, err);
    if (status || !is_emnist(prefix)) return status;
    set_of(prefix, set);
    status = transpose(images, err);
    return status || strcmp(set, "letters") ? status : count_from_zero(images, path, err);
}

static vae_status open_mnist(vae_data *data, const struct listing *listing, const struct source_options *options,
                             vae_error *err)
{
    char prefix[PREFIX], path[MAX_PATH], set[PREFIX];
    const char *folder = listing->folder;
    vae_status status = choose_set(listing, options->set, prefix, err);
    if (status) return status;
    const bool has_t10k = find_file(path, folder, prefix, "t10k", "images", 3);
    const char *test = has_t10k || !is_emnist(prefix) ? "t10k" : "test";
    status = open_split(&data->train, folder, prefix, "train", options->most, err);
    if (!status) status = open_split(&data->test, folder, prefix, test, options->most, err);
    if (status) return status;
    if (data->train.rows != data->test.rows || data->train.cols != data->test.cols)
        return vae_fail(err, VAE_E_DATA, "%s: training images are %zu x %zu, test images %zu x %zu", folder,
                        data->train.rows, data->train.cols, data->test.rows, data->test.cols);
    set_of(prefix, set);
    return is_emnist(prefix) ? name_characters(data, set, err) : VAE_OK;
}

static vae_status is_mnist(const struct listing *listing, bool *is, vae_error *err)
{
    char prefix[PREFIX];
    (void)err;
    for (size_t i = 0; i < listing->n; i++) *is = *is || prefix_of(listing->name[i], prefix);
    return VAE_OK;
}

const struct folder_ops folder_mnist = {.is = is_mnist, .open = open_mnist};
