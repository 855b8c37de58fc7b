/* SPDX-License-Identifier: MIT
 *
 * Every allocation fails once; in a second sweep every allocation after it fails as well. Each function must then say
 * that memory is out, hand out nothing and leave files as they were. Whether it gave all memory back is for the
 * checkers to see (make asan, make valgrind).
 *
 * The linker sends the library's calls through the functions below (-Wl,--wrap, see tests.mk). Shared libraries keep
 * the real ones: tests/faults/allocations.py has theirs as well. */
#include "vae_figure.h"

#include "base/json.h"
#include "files.h"

#include <jansson.h>
#include <png.h>
#include <stdatomic.h>
#include <zlib.h>

/* ---- The allocator that fails ----------------------------------------------------------------------------------- */

/* Allocations left until the one that fails, and whether those after it fail too. Far below zero: none fails. */
static atomic_long left = -1;
static atomic_bool persistent;

static bool fails(void)
{
    const long now = atomic_fetch_sub(&left, 1);
    return now == 1 || (now <= 0 && now > -(1L << 30) && atomic_load(&persistent));
}

static void arm(long k, bool from_then_on)
{
    atomic_store(&persistent, from_then_on);
    atomic_store(&left, k);
}

/* Ends it, and tells whether the k-th allocation came. */
static bool disarm(void)
{
    atomic_store(&persistent, false);
    return atomic_exchange(&left, -(1L << 40)) <= 0;
}

void *__real_malloc(size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_realloc(void *memory, size_t size) { return fails() ? NULL : __real_realloc(memory, size); }
void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}
char *__wrap_strdup(const char *text) { return fails() ? NULL : __real_strdup(text); }

/* ---- What is tried ---------------------------------------------------------------------------------------------- */

static vae_data *data;           /* 3 + 2 digits */
static vae_model *model, *joint; /* for 28 x 28; the other has a joint prior */
static char digits_gz[PATH_MOST], reals_npy[PATH_MOST], labels_npy[PATH_MOST], model_file[PATH_MOST],
    joint_file[PATH_MOST], output[PATH_MOST], rows_csv[PATH_MOST], pixels_csv[PATH_MOST], pictures[PATH_MOST],
    cifar[PATH_MOST];

static void small_config(vae_config *config, const char *prior)
{
    static const char *const settings[][2] = {{"latent", "2"}, {"hidden", "4"}, {"batch", "2"}, {"epochs", "1"}};
    vae_config_defaults(config);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        assert_int_equal(vae_config_set(config, settings[i][0], settings[i][1], NULL), VAE_OK);
    assert_int_equal(vae_config_set(config, "prior", prior, NULL), VAE_OK);
}

static vae_status open_builtin(vae_error *err)
{
    vae_data *opened = NULL;
    vae_status status = vae_data_open(&opened, "builtin:digits:train=3,test=2", 0, 0, 1, err);
    assert_true((opened != NULL) == (status == VAE_OK));
    vae_data_free(&opened);
    return status;
}

static vae_status open_drawn(vae_error *err)
{
    vae_data *opened = NULL;
    vae_status status = vae_data_open(&opened, "builtin:gaussians:train=3,test=2", 0, 0, 1, err);
    assert_true((opened != NULL) == (status == VAE_OK));
    vae_data_free(&opened);
    return status;
}

static vae_status open_divided(const char *path, vae_error *err)
{
    vae_data *opened = NULL;
    vae_status status = vae_data_open(&opened, path, 0.5, 0, 1, err);
    assert_true((opened != NULL) == (status == VAE_OK));
    vae_data_free(&opened);
    return status;
}

static vae_status open_compressed(vae_error *err) { return open_divided(digits_gz, err); }
static vae_status open_csv(vae_error *err) { return open_divided(rows_csv, err); }
static vae_status open_pixels_csv(vae_error *err) { return open_divided(pixels_csv, err); }
static vae_status open_pngs(vae_error *err) { return open_divided(pictures, err); }
static vae_status open_cifar(vae_error *err) { return open_divided(cifar, err); }

static vae_status open_reals(vae_error *err) { return open_divided(reals_npy, err); }

static vae_status read_file(vae_error *err)
{
    vae_data *opened = NULL;
    vae_status status = vae_data_read(&opened, reals_npy, err);
    assert_true((opened != NULL) == (status == VAE_OK));
    vae_data_free(&opened);
    return status;
}

static vae_status read_labels(vae_error *err)
{
    uint8_t labels[3];
    return vae_labels_read(labels_npy, 3, labels, err);
}

static vae_status write_npy(vae_error *err)
{
    return vae_write_npy(output, &(vae_array){.element = VAE_U1, .rank = 1, .dim = {4}, .at = "text"}, err);
}

static vae_status read_values(vae_error *err)
{
    static float values[3 * 28 * 28];
    return vae_images_values(&data->train, 0, 3, values, err);
}

static vae_status open_folder(vae_error *err)
{
    vae_data *opened = NULL;
    vae_status status = vae_data_open(&opened, scratch, 0, 0, 1, err);
    assert_true((opened != NULL) == (status == VAE_OK));
    vae_data_free(&opened);
    return status;
}

static vae_status new_model(vae_error *err)
{
    vae_config config;
    vae_model *made = NULL;
    small_config(&config, "laplace");
    vae_status status = vae_model_new(&made, &config, 28, 28, err);
    assert_true((made != NULL) == (status == VAE_OK));
    vae_model_free(&made);
    return status;
}

static vae_status load_model(vae_error *err)
{
    vae_model *loaded = NULL;
    vae_status status = vae_model_load(&loaded, model_file, err);
    assert_true((loaded != NULL) == (status == VAE_OK));
    vae_model_free(&loaded);
    return status;
}

static vae_status save_model(vae_error *err) { return vae_model_save(model, output, err); }

/* 3 images in batches of 2 are two steps. */
static vae_status train_file(const char *path, vae_error *err)
{
    vae_model *loaded = NULL;
    const long k = atomic_exchange(&left, -(1L << 40)); /* loading is not what is tried here */
    assert_int_equal(vae_model_load(&loaded, path, NULL), VAE_OK);
    atomic_store(&left, k);
    vae_status status = vae_train(loaded, data, 1, NULL, NULL, err);
    vae_model_free(&loaded);
    return status;
}

static vae_status train(vae_error *err) { return train_file(model_file, err); }
static vae_status train_joint(vae_error *err) { return train_file(joint_file, err); }

static vae_status evaluate_model(const vae_model *evaluated, vae_error *err)
{
    vae_evaluation *evaluation = NULL;
    vae_eval_options options;
    vae_eval_defaults(&options);
    vae_status status = vae_evaluate(&evaluation, evaluated, &data->test, &options, err);
    assert_true((evaluation != NULL) == (status == VAE_OK));
    vae_evaluation_free(&evaluation);
    return status;
}

static vae_status evaluate(vae_error *err) { return evaluate_model(model, err); }
static vae_status evaluate_joint(vae_error *err) { return evaluate_model(joint, err); }

static vae_status estimate(const vae_model *estimated, vae_error *err)
{
    vae_nll nll;
    const vae_nll_options options = {.samples = 3, .threads = 1};
    return vae_estimate_nll(&nll, estimated, &data->test, &options, err);
}

/* From both sides, which is all that there is of it, and from a mixture. */
static vae_status anneal(const vae_model *estimated, vae_error *err)
{
    vae_bdmc bdmc;
    vae_nll nll;
    const vae_ais_options options = {
        .temperatures = 2, .chains = 3, .leapfrog = 1, .threads = 1, .proposal = VAE_PROPOSE_DEFENSIVE};
    const vae_nll_options nll_options = {.samples = 30, .threads = 1, .proposal = VAE_PROPOSE_DEFENSIVE};
    vae_status status = vae_estimate_bdmc(&bdmc, estimated, &data->test, &options, err);
    return status ? status : vae_estimate_nll(&nll, estimated, &data->test, &nll_options, err);
}

static vae_status anneal_plain(vae_error *err) { return anneal(model, err); }
static vae_status anneal_joint(vae_error *err) { return anneal(joint, err); }

static vae_status estimate_nll(vae_error *err) { return estimate(model, err); }
static vae_status estimate_nll_joint(vae_error *err) { return estimate(joint, err); }

static vae_status sample_joint(vae_error *err)
{
    float z[3 * 2];
    return vae_sample_prior(joint, 1, 3, z, err);
}

static vae_status distribute(const vae_model *distributed, bool aggregate, vae_error *err)
{
    vae_marginals *marginals = NULL;
    vae_status status = aggregate ? vae_aggregate_marginals(&marginals, distributed, &data->test, 1, 1, err)
                                  : vae_prior_marginals(&marginals, distributed, 1, err);
    assert_true((marginals != NULL) == (status == VAE_OK));
    vae_marginals_free(&marginals);
    return status;
}

static vae_status prior_marginals(vae_error *err) { return distribute(model, false, err); }
static vae_status joint_marginals(vae_error *err) { return distribute(joint, false, err); }
static vae_status aggregate_marginals(vae_error *err) { return distribute(model, true, err); }

static vae_status probe(vae_error *err)
{
    double accuracy;
    return vae_probe(&accuracy, model, &data->train, &data->test, 1, 1, err);
}

static vae_status open_with_validation(vae_error *err)
{
    vae_data *opened = NULL;
    vae_status status = vae_data_open(&opened, "builtin:digits:train=3,test=2", 0, 0.34, 1, err);
    assert_true((opened != NULL) == (status == VAE_OK));
    vae_data_free(&opened);
    return status;
}

static vae_status encode(vae_error *err)
{
    float mean[6], scale[6];
    return vae_encode(model, &data->train, 0, 3, 1, 2, mean, scale, err);
}

static vae_status decode(vae_error *err)
{
    static float mean[3 * 28 * 28];
    const float z[6] = {0};
    return vae_decode(model, 3, z, NULL, 2, mean, err);
}

/* A posterior and a prior with networks and memory of their own. */
static vae_status use_distributions_that_learn(vae_error *err)
{
    vae_config config;
    vae_model *made = NULL;
    float mean[6];
    small_config(&config, "mixture:components=2");
    assert_int_equal(vae_config_set(&config, "posterior", "iaf:width=4,context=2", NULL), VAE_OK);
    vae_status status = vae_model_new(&made, &config, 28, 28, err);
    if (!status) status = vae_train(made, data, 1, NULL, NULL, err);
    if (!status) status = vae_encode(made, &data->train, 0, 3, 1, 1, mean, NULL, err);
    vae_model_free(&made);
    return status;
}

static vae_status draw_picture(vae_error *err)
{
    static const float tiles[2 * 100 * 90];
    const char *const labels[] = {"0", "1"};
    const vae_grid grid = {.down = 2, .across = 1, .rows = 100, .cols = 90, .tiles = tiles, .labels = labels};
    vae_figure *figure = NULL;
    vae_status status = vae_figure_new(&figure, "title", "note", 1, err);
    if (!status) vae_panel_tiles(vae_figure_panel(figure, NULL), &grid);
    if (!status) status = vae_figure_write(figure, output, 1, err);
    vae_figure_free(&figure);
    return status;
}

/* A mark of each kind. */
static void add_marks(vae_panel *panel)
{
    static const double x[] = {1, 2}, y[] = {3, 4}, error[] = {0.5, 0.25};
    static const char *const texts[] = {"one", "two"};
    vae_panel_labels(panel, "x", "y");
    vae_panel_ticks_x(panel, 2, x, texts);
    vae_panel_line(panel, 2, x, y, (vae_mark){.series = 1, .name = "line"});
    vae_panel_band(panel, 2, x, y, error, (vae_mark){.series = 2, .name = "band"});
    vae_panel_points(panel, 2, x, y, error, (vae_mark){.series = 7, .name = "points"});
    vae_panel_bars(panel, 2, x, y, error, 0.5, (vae_mark){.series = VAE_GREY, .name = "bars"});
    vae_panel_rule_x(panel, 1.5, (vae_mark){.series = VAE_INK, .name = "rule"});
    vae_panel_rule_y(panel, 3.5, (vae_mark){.series = VAE_INK});
    vae_panel_text(panel, 1, 3, "text");
}

static vae_status make_figure(vae_figure **figure, vae_error *err)
{
    static const float tiles[2] = {-1, 1};
    const vae_grid grid = {.down = 1, .across = 2, .rows = 1, .cols = 1, .tiles = tiles, .diverging = true, .unit = 1};
    vae_status status = vae_figure_new(figure, "title", "note", 2, err);
    if (!status) add_marks(vae_figure_panel(*figure, "panel"));
    if (!status) vae_panel_tiles(vae_figure_panel(*figure, "tiles"), &grid);
    return status;
}

static vae_status draw_figure(vae_error *err)
{
    vae_figure *figure = NULL;
    vae_status status = make_figure(&figure, err);
    if (!status) status = vae_figure_write(figure, output, 1, err);
    vae_figure_free(&figure);
    return status;
}

static vae_status draw_svg(vae_error *err)
{
    vae_figure *figure = NULL;
    char *svg = NULL;
    vae_status status = make_figure(&figure, err);
    if (!status) status = vae_figure_svg(figure, 1, &svg, err);
    assert_true((svg != NULL) == (status == VAE_OK));
    free(svg);
    vae_figure_free(&figure);
    return status;
}

static vae_status animate(vae_error *err)
{
    static const float tiles[2][4] = {{0, 1, 0, 1}, {1, 0, 1, 0}};
    static const char *const texts[] = {"first", "second"};
    const vae_grid frames[] = {{.down = 1, .across = 1, .rows = 2, .cols = 2, .tiles = tiles[0]},
                               {.down = 1, .across = 1, .rows = 2, .cols = 2, .tiles = tiles[1]}};
    return vae_animation_write(output, 2, frames, texts, 0.5, 1, err);
}

static void ignore(void *context, const vae_check *check) { (void)context, (void)check; }

static vae_status check_prior(vae_error *err) { return vae_module_check(VAE_PRIOR, "normal", ignore, NULL, err); }

static vae_status check_joint_prior(vae_error *err)
{
    return vae_module_check(VAE_PRIOR, "mixture:components=1", ignore, NULL, err);
}

static vae_status check_flow(vae_error *err)
{
    return vae_module_check(VAE_POSTERIOR, "iaf:blocks=1,width=1,context=1", ignore, NULL, err);
}

static vae_status check_likelihood(vae_error *err)
{
    return vae_module_check(VAE_LIKELIHOOD, "bernoulli", ignore, NULL, err);
}

static vae_status write_file(vae_error *err) { return vae_write_file(output, "text", 4, err); }

static const struct action {
    const char *name;
    vae_status (*run)(vae_error *err);
    long fewest; /* allocations that it is known to make */
} actions[] = {
    {"opening built-in digits", open_builtin, 5},
    {"opening a drawn set", open_drawn, 5},
    {"opening a compressed file", open_compressed, 5},
    {"opening a file of real numbers", open_reals, 7},
    {"opening a folder", open_folder, 3},
    {"opening a .csv", open_csv, 6},
    {"opening a .csv of pixels", open_pixels_csv, 6},
    {"opening a folder of PNG files", open_pngs, 20},
    {"opening a file of CIFAR-10, made smaller", open_cifar, 5},
    {"reading a file", read_file, 2},
    {"reading labels", read_labels, 1},
    {"writing an array", write_npy, 2},
    {"reading values", read_values, 1},
    {"making a model", new_model, 7},
    {"loading a model", load_model, 8},
    {"saving a model", save_model, 3},
    {"training", train, 7},
    {"evaluating", evaluate, 9},
    {"estimating the likelihood", estimate_nll, 3},
    {"training with a joint prior", train_joint, 9},
    {"evaluating with a joint prior", evaluate_joint, 10},
    {"estimating the likelihood with a joint prior", estimate_nll_joint, 4},
    {"annealing", anneal_plain, 20},
    {"annealing with a joint prior", anneal_joint, 22},
    {"drawing from a joint prior", sample_joint, 3},
    {"distributions of latents under the prior", prior_marginals, 3},
    {"distributions of latents under a joint prior", joint_marginals, 6},
    {"distributions of latents under the aggregate posterior", aggregate_marginals, 6},
    {"probing", probe, 6},
    {"splitting off a validation set", open_with_validation, 9},
    {"encoding", encode, 3},
    {"decoding", decode, 3},
    {"a flow and a joint prior", use_distributions_that_learn, 25},
    {"drawing a picture", draw_picture, 20},
    {"drawing a figure", draw_figure, 100},
    {"drawing a figure as a text", draw_svg, 100},
    {"drawing an animation", animate, 20},
    {"writing a file", write_file, 1},
    {"checking a prior", check_prior, 2},
    {"checking a joint prior", check_joint_prior, 30},
    {"checking a flow", check_flow, 20},
    {"checking a likelihood", check_likelihood, 3},
};

/* ---- The sweeps ------------------------------------------------------------------------------------------------- */

static const char OLD[] = "what was there before";

static void assert_old_output(const char *name, long k)
{
    size_t size;
    uint8_t *bytes = get_file(output, &size);
    if (size != sizeof OLD || memcmp(bytes, OLD, size)) fail_msg("%s, allocation %ld: the old file is gone", name, k);
    free(bytes);
}

/* Lets allocation 1, 2, ... fail until there is none of that number; returns how many there were. */
static long sweep(const struct action *action, bool from_then_on, size_t entries)
{
    for (long k = 1;; k++) {
        vae_error err = {0};
        arm(k, from_then_on);
        vae_status status = action->run(&err);
        if (!disarm()) {
            if (status) fail_msg("%s: %s", action->name, err.message);
            return k - 1;
        }
        if (status != VAE_E_MEMORY)
            fail_msg("%s, allocation %ld failing: status %d '%s'", action->name, k, status, err.message);
        assert_int_equal(err.status, VAE_E_MEMORY);
        assert_true(*err.message);
        assert_int_equal(scratch_entries(), entries);
        assert_old_output(action->name, k);
    }
}

static void sweep_all(bool from_then_on)
{
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        put_file(output, OLD, sizeof OLD);
        long allocations = sweep(&actions[i], from_then_on, scratch_entries());
        if (allocations < actions[i].fewest)
            fail_msg("%s: %ld allocations seen (expected %ld or more)", actions[i].name, allocations,
                     actions[i].fewest);
    }
}

static void test_one_failing_allocation(void **state)
{
    (void)state;
    sweep_all(false);
}

static void test_all_allocations_fail_from_one_on(void **state)
{
    (void)state;
    sweep_all(true);
}

static void test_errors_need_no_place_to_go(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        arm(1, true);
        vae_status status = actions[i].run(NULL);
        disarm();
        assert_int_equal(status, VAE_E_MEMORY);
    }
}

/* ---- jansson ---------------------------------------------------------------------------------------------------- */

enum { NUMBERS = 3000 };

/* Makes a list of many numbers, its text and the list again, and a copy of its last number that stays. */
static vae_status pass_through_json(void *context)
{
    double *last = context;
    json_t *list = json_array();
    for (size_t i = 0; i < NUMBERS; i++) json_array_append_new(list, json_real(0.9 + (double)i));
    const char *text = json_dumps(list, JSON_REAL_PRECISION(17));
    const json_t *again = json_loads(text, 0, NULL);
    if (json_array_size(again) != NUMBERS || !json_equal(list, again)) return VAE_E_INTERNAL;
    *last = json_real_value(json_array_get(again, NUMBERS - 1));
    return VAE_OK;
}

/* A call within another one, whose own memory ends: the outer one goes on. */
static vae_status nest(void *context)
{
    json_t *before = json_string("before");
    const long all = atomic_load(&left);
    arm(1, true);
    vae_status status = json_run(pass_through_json, context, "inner", NULL);
    disarm();
    atomic_store(&left, all);
    assert_int_equal(status, VAE_E_MEMORY);
    assert_string_equal(json_string_value(before), "before");
    return pass_through_json(context);
}

static void test_json_is_whole_or_there_is_none(void **state)
{
    (void)state;
    double last = 0;
    for (long k = 1, more = true; more; k++) {
        vae_error err = {0};
        arm(k, false);
        vae_status status = json_run(pass_through_json, &last, "name", &err);
        more = disarm();
        assert_int_equal(status, more ? VAE_E_MEMORY : VAE_OK);
        if (more) assert_string_equal(err.message, "name: out of memory");
        if (!more) assert_in_range(k, 20, 1000);
    }
    assert_true(last == 0.9 + (NUMBERS - 1));
    assert_int_equal(json_run(nest, &last, "outer", NULL), VAE_OK);
}

/* Another allocator, of the host: what it makes outside stays with it. */
static long made, given;
static void *host_malloc(size_t size) { return made++, __real_malloc(size); }
static void host_free(void *memory) { given += memory != NULL, free(memory); }

static void test_json_of_the_host(void **state)
{
    (void)state;
    double last;
    json_set_alloc_funcs(host_malloc, host_free);
    json_t *mine = json_pack("{s:i}", "key", 1);
    const long before = made;
    assert_int_equal(json_run(pass_through_json, &last, "name", NULL), VAE_OK);
    assert_int_equal(made, before);
    assert_int_equal(given, 0);
    json_object_set_new(mine, "other", json_integer(2));
    assert_true(made > before);
    json_decref(mine);
    assert_int_equal(given, made);
    json_set_alloc_funcs(malloc, free);
}

/* ---- Setting up ------------------------------------------------------------------------------------------------- */

static void put_gzip(const char *path, const uint8_t *header, size_t header_size, const uint8_t *body, size_t size)
{
    gzFile gz = gzopen(path, "wb");
    assert_non_null(gz);
    assert_int_equal(gzwrite(gz, header, (unsigned)header_size), header_size);
    assert_int_equal(gzwrite(gz, body, (unsigned)size), size);
    assert_int_equal(gzclose(gz), Z_OK);
}

/* Four points of zeros. */
static void put_reals(const char *path)
{
    static const char header[] = "\x93NUMPY\1\0\74\0{'descr': '<f4', 'fortran_order': False, 'shape': (4, 2), }\n";
    uint8_t bytes[sizeof header - 1 + 8 * sizeof(float)] = {0};
    memcpy(bytes, header, sizeof header - 1);
    put_file(path, bytes, sizeof bytes);
}

/* Three in two sub-folders, which are labels. */
static const char *const picture_names[] = {"/a/1.png", "/a/2.png", "/b/1.png"};

static void put_pictures(const char *folder)
{
    char path[PATH_MOST + 16];
    assert_int_equal(mkdir(folder, 0777), 0);
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%c", folder, "ab"[i]);
        assert_int_equal(mkdir(path, 0777), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        png_image image = {.version = PNG_IMAGE_VERSION, .width = 2, .height = 2, .format = PNG_FORMAT_GRAY};
        snprintf(path, sizeof path, "%s%s", folder, picture_names[i]);
        assert_true(png_image_write_to_file(&image, path, 0, (const uint8_t[4]){1, 2, 3, 4}, 2, NULL));
    }
}

/* Data of the other kinds that are read. */
static void put_data(void)
{
    static const char rows[] = "a,b,label\n1,2,0\n3,4,1\n5,6,0\n", pixels[] = "label,pixel0,pixel1\n0,1,2\n1,255,0\n";
    static uint8_t images[2 * 3073];
    put_file(in_scratch(rows_csv, "rows.csv"), rows, sizeof rows - 1);
    put_file(in_scratch(pixels_csv, "pixels.csv"), pixels, sizeof pixels - 1);
    put_file(in_scratch(cifar, "images.bin"), images, sizeof images);
    strcat(cifar, ":size=8");
    put_pictures(in_scratch(pictures, "pictures"));
}

/* The digits as a compressed file and as a folder, and a model of them. */
static int set_up(void **state)
{
    const uint8_t images[16] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 28, 0, 0, 0, 28}, labels[8] = {0, 0, 8, 1, 0, 0, 0, 3};
    char path[PATH_MOST];
    vae_config config;
    if (make_scratch(state)) return -1;
    in_scratch(output, "output.png");
    in_scratch(model_file, "model");
    in_scratch(joint_file, "joint");
    if (vae_data_open(&data, "builtin:digits:train=3,test=2", 0, 0, 1, NULL)) return -1;
    in_scratch(digits_gz, "train-images-idx3-ubyte.gz");
    put_gzip(digits_gz, images, sizeof images, data->train.pixels, 3 * 28 * 28);
    put_gzip(in_scratch(path, "train-labels-idx1-ubyte"), labels, sizeof labels, data->train.labels, 3);
    put_gzip(in_scratch(path, "t10k-images-idx3-ubyte"), images, sizeof images, data->train.pixels, 3 * 28 * 28);
    put_reals(in_scratch(reals_npy, "reals.npy"));
    put_data();
    const vae_array three = {.element = VAE_U1, .rank = 1, .dim = {3}, .at = data->train.labels};
    if (vae_write_npy(in_scratch(labels_npy, "labels.npy"), &three, NULL)) return -1;
    small_config(&config, "laplace");
    if (vae_model_new(&model, &config, 28, 28, NULL) || vae_model_save(model, model_file, NULL)) return -1;
    small_config(&config, "vampprior:components=2");
    return vae_model_new(&joint, &config, 28, 28, NULL) || vae_model_save(joint, joint_file, NULL) ? -1 : 0;
}

static void remove_pictures(void)
{
    static const char *const folders[] = {"/a", "/b", ""};
    char path[PATH_MOST + 16];
    for (size_t i = 0; i < 3; i++) snprintf(path, sizeof path, "%s%s", pictures, picture_names[i]), remove(path);
    for (size_t i = 0; i < 3; i++) snprintf(path, sizeof path, "%s%s", pictures, folders[i]), remove(path);
}

static int tear_down(void **state)
{
    remove_pictures();
    vae_model_free(&model);
    vae_model_free(&joint);
    vae_data_free(&data);
    return remove_scratch(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_failing_allocation),     cmocka_unit_test(test_all_allocations_fail_from_one_on),
        cmocka_unit_test(test_errors_need_no_place_to_go), cmocka_unit_test(test_json_is_whole_or_there_is_none),
        cmocka_unit_test(test_json_of_the_host),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
