/* SPDX-License-Identifier: MIT
 *
 * Arrays that the library writes: the bytes of NumPy's files, and that latents and labels come back from them as they
 * went out. */
#include "files.h"
#include "models.h"

static char path[PATH_MOST];

static int begin(void **state)
{
    const int failed = make_scratch(state);
    in_scratch(path, "array.npy");
    return failed;
}

/* ---- Bytes of the file ------------------------------------------------------------------------------------------ */

static const uint8_t bytes[] = {7, 0, 255, 1, 2, 3};
static const float singles[] = {1, -2.5f, 0.1f, 1e-30f, 0, 3};
static const int32_t wholes[] = {1, -2, 0, 3, 1 << 30, 7};
static const double doubles[] = {1, -2.5, 0.1, 1e-300, 0, 3};

/* What numpy.save writes: version 1.0, a header of 118 bytes that makes 128 with what is before it. */
static void headers(void **state)
{
    static const struct {
        vae_array array;
        const char *dictionary;
        size_t size; /* of the elements */
    } known[] = {
        {{VAE_U1, 1, {6}, bytes}, "{'descr': '|u1', 'fortran_order': False, 'shape': (6,), }", 6},
        {{VAE_F4, 2, {2, 3}, singles}, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 24},
        {{VAE_I4, 1, {6}, wholes}, "{'descr': '<i4', 'fortran_order': False, 'shape': (6,), }", 24},
        {{VAE_F8, 3, {1, 2, 3}, doubles}, "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2, 3), }", 48},
        {{VAE_F4, 4, {3, 1, 2, 1}, singles}, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1, 2, 1), }", 24},
        {{VAE_F4, 2, {0, 3}, NULL}, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char header[129];
        size_t size;
        assert_int_equal(vae_write_npy(path, &known[i].array, NULL), VAE_OK);
        uint8_t *file = get_file(path, &size);
        snprintf(header, sizeof header, "%-117s\n", known[i].dictionary);
        assert_int_equal(size, 128 + known[i].size);
        assert_memory_equal(file, "\x93NUMPY\1\0\x76\0", 10);
        assert_memory_equal(file + 10, header, 118);
        if (known[i].size) assert_memory_equal(file + 128, known[i].array.at, known[i].size);
        free(file);
    }
}

static void refused_arrays(void **state)
{
    const vae_array none = {VAE_F4, 0, {0}, singles}, many = {VAE_F4, 5, {1, 1, 1, 1}, singles};
    const vae_array large = {VAE_F4, 2, {SIZE_MAX / 2, 3}, singles}, larger = {VAE_F8, 1, {SIZE_MAX / 8}, doubles};
    vae_error err;
    (void)state;
    assert_int_equal(vae_write_npy(path, &none, &err), VAE_E_USAGE);
    assert_non_null(strstr(err.message, "rank 0 (expected 1 to 4)"));
    assert_int_equal(vae_write_npy(path, &many, &err), VAE_E_USAGE);
    assert_int_equal(vae_write_npy(path, &large, &err), VAE_E_USAGE);
    assert_non_null(strstr(err.message, "too large"));
    assert_int_equal(vae_write_npy(path, &larger, &err), VAE_E_USAGE);
    assert_int_equal(scratch_entries(), 0);
}

/* ---- There and back --------------------------------------------------------------------------------------------- */

enum { N = 700, L = 3 }; /* more than a block */

/* Rows stay in their order, and what is decoded from the file is what is decoded without it. */
static void latents_come_back(void **state)
{
    static float z[N * L], read[N * L], direct[N * 20], decoded[N * 20];
    vae_model *model = MODEL_WITH(4, 5, "latent", "3", "hidden", "7");
    vae_data *data = NULL;
    (void)state;
    assert_int_equal(vae_sample_prior(model, 3, N, z, NULL), VAE_OK);
    assert_int_equal(vae_write_npy(path, &(vae_array){VAE_F4, 2, {N, L}, z}, NULL), VAE_OK);
    assert_int_equal(vae_data_read(&data, path, NULL), VAE_OK);
    assert_true(data->train.n == N && data->train.rows == 1 && data->train.cols == L && data->test.n == 0);
    assert_int_equal(vae_images_values(&data->train, 0, N, read, NULL), VAE_OK);
    assert_memory_equal(read, z, sizeof z);
    assert_int_equal(vae_decode(model, N, z, NULL, 1, direct, NULL), VAE_OK);
    assert_int_equal(vae_decode(model, N, read, NULL, 2, decoded, NULL), VAE_OK);
    assert_memory_equal(decoded, direct, sizeof direct);
    vae_data_free(&data);
    vae_model_free(&model);
}

static void labels_come_back(void **state)
{
    uint8_t labels[6];
    vae_error err;
    (void)state;
    assert_int_equal(vae_write_npy(path, &(vae_array){VAE_U1, 1, {6}, bytes}, NULL), VAE_OK);
    assert_int_equal(vae_labels_read(path, 6, labels, NULL), VAE_OK);
    assert_memory_equal(labels, bytes, sizeof bytes);
    assert_int_equal(vae_labels_read(path, 5, labels, &err), VAE_E_DATA);
    assert_non_null(strstr(err.message, "shape (6,) (expected (5,), a label for each row)"));
}

/* What a file holds is not its name's to say; and names have their end. */
static void refused_files(void **state)
{
    char name[VAE_MAX_SOURCE + 1];
    vae_data *data = NULL;
    vae_error err;
    (void)state;
    put_file(path, "some text", 9);
    assert_int_equal(vae_data_read(&data, path, &err), VAE_E_DATA);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(vae_data_read(&data, name, &err), VAE_E_USAGE);
    assert_null(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(headers, begin, remove_scratch),
        cmocka_unit_test_setup_teardown(refused_arrays, begin, remove_scratch),
        cmocka_unit_test_setup_teardown(latents_come_back, begin, remove_scratch),
        cmocka_unit_test_setup_teardown(labels_come_back, begin, remove_scratch),
        cmocka_unit_test_setup_teardown(refused_files, begin, remove_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
