/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli/convert.h"
#include "cli/json.h"
#include "cli/summary.h"

enum { MOST_LIKELIHOODS = 16 };

struct description {
    const vae_data *data;
    struct summary train, test;       /* n 0: no test split */
    bool is_pseudo[MOST_LIKELIHOODS]; /* of those that take the data */
};

static void description_free(struct description *d)
{
    summary_free(&d->train);
    summary_free(&d->test);
}

/* The name of the i-th likelihood that takes the data, past the last one NULL. */
static const char *likelihood_at(const struct description *d, size_t i)
{
    const vae_module *module;
    for (size_t k = 0; (module = vae_module_at(VAE_LIKELIHOOD, k)); k++)
        if (vae_likelihood_takes(module->name, &d->data->train) &&
            (!d->test.n || vae_likelihood_takes(module->name, &d->data->test)) && i-- == 0)
            return module->name;
    return NULL;
}

/* Which of the first likelihoods that take the data are pseudo-likelihoods. */
static vae_status find_pseudo(struct description *d, vae_error *err)
{
    const char *name;
    vae_status status = VAE_OK;
    for (size_t i = 0; i < MOST_LIKELIHOODS && (name = likelihood_at(d, i)) && !status; i++) {
        status = vae_likelihood_is_pseudo(name, &d->data->train, &d->is_pseudo[i], err);
        if (!status && !d->is_pseudo[i] && d->test.n)
            status = vae_likelihood_is_pseudo(name, &d->data->test, &d->is_pseudo[i], err);
    }
    return status;
}

static vae_status describe(struct description *d, vae_error *err)
{
    vae_status status = summary_of(&d->train, &d->data->train, err);
    if (!status && d->data->test.n) status = summary_of(&d->test, &d->data->test, err);
    return status ? status : find_pseudo(d, err);
}

/* ---- Text ------------------------------------------------------------------------------------------------------- */

enum { COLUMN = 24 };

/* Padded to the column, or cut before a character (UTF-8) that ends beyond it. */
static void print_name(const char *name)
{
    int columns = 0;
    size_t length = 0;
    for (; name[length]; length++) {
        if ((name[length] & 0xc0) == 0x80) continue;
        if (columns == COLUMN) break;
        columns++;
    }
    printf("%.*s%*s", (int)length, name, COLUMN - columns, "");
}

static void print_counts(const struct description *d, const char *name, size_t train, size_t test)
{
    print_name(name);
    printf(" %12zu", train);
    if (d->test.n) printf(" %12zu", test);
    putchar('\n');
}

static void print_reals(const struct description *d, const char *name, double train, double test)
{
    printf("%-*s %12.5g", COLUMN, name, train);
    if (d->test.n) printf(" %12.5g", test);
    putchar('\n');
}

static void print_distinct(const struct description *d)
{
    const size_t n[] = {d->train.distinct, d->test.distinct};
    char text[32];
    printf("%-*s", COLUMN, "distinct values");
    for (size_t i = 0; i < (d->test.n ? 2 : 1); i++) {
        if (n[i] > MOST_DISTINCT)
            snprintf(text, sizeof text, "over %d", MOST_DISTINCT);
        else
            snprintf(text, sizeof text, "%zu", n[i]);
        printf(" %12s", text);
    }
    putchar('\n');
}

static void print_labels(const struct description *d)
{
    const size_t classes = d->train.classes > d->test.classes ? d->train.classes : d->test.classes;
    char name[VAE_MAX_LABEL + 16];
    for (size_t i = 0; i < classes; i++) {
        vae_error clean;
        snprintf(name, sizeof name, "label %zu%s%s", i, i < d->data->label_names ? " " : "",
                 i < d->data->label_names ? d->data->label_name[i] : "");
        vae_fail(&clean, VAE_OK, "%s", name); /* control characters become question marks */
        print_counts(d, clean.message, d->train.label[i], d->test.label[i]);
    }
}

/* The data in one line. */
static void print_heading(const vae_data *data)
{
    const vae_images *images = &data->train;
    printf("%s: %zu", SHOWN(data->source), images->n);
    if (data->test.n) printf(" + %zu", data->test.n);
    if (images->rows > 1)
        printf(" image%s of %zu x %zu %s\n", images->n + data->test.n == 1 ? "" : "s", images->rows, images->cols,
               images->values ? "real values" : "bytes");
    else
        printf(" row%s of %zu %s\n", images->n + data->test.n == 1 ? "" : "s", images->cols,
               images->values ? "real numbers" : "bytes");
}

static void print_text(const struct description *d)
{
    const vae_images *images = &d->data->train;
    const char *name;
    print_heading(d->data);
    printf("%s\n\n", images->values ? "real numbers are taken as they are" : "values are bytes / 255");
    printf("%-*s %12s%s\n", COLUMN, "", d->test.n ? "train" : "all", d->test.n ? "         test" : "");
    print_counts(d, images->rows > 1 ? "images" : "rows", d->train.n, d->test.n);
    print_reals(d, "lowest value", d->train.lowest, d->test.lowest);
    print_reals(d, "highest value", d->train.highest, d->test.highest);
    print_reals(d, "mean value", d->train.mean, d->test.mean);
    print_reals(d, "share of zeros", d->train.zeros, d->test.zeros);
    print_distinct(d);
    print_labels(d);
    if (d->test.n)
        printf("%-*s %12s %12zu\n", COLUMN, "equal to one of train", "", summary_common(&d->train, &d->test));
    printf("\nlikelihoods that take it: ");
    for (size_t i = 0; (name = likelihood_at(d, i)); i++) printf("%s%s", i ? ", " : "", name);
    putchar('\n');
    for (size_t i = 0; i < MOST_LIKELIHOODS && (name = likelihood_at(d, i)); i++)
        if (d->is_pseudo[i]) printf("(grey pixels under %s: a pseudo-likelihood)\n", name);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

static json_t *split_object(const struct summary *s)
{
    json_t *labels = s->classes ? json_array() : json_null();
    for (size_t i = 0; i < s->classes; i++) json_array_append_new(labels, json_integer((json_int_t)s->label[i]));
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "n", (json_int_t)s->n, "lowest", json_finite(s->lowest),
                     "highest", json_finite(s->highest), "mean", json_finite(s->mean), "zeros", json_finite(s->zeros),
                     "distinct", s->distinct > MOST_DISTINCT ? json_null() : json_integer((json_int_t)s->distinct),
                     "labels", labels);
}

static vae_status print_json(const struct description *d, vae_error *err)
{
    const vae_images *images = &d->data->train;
    const char *name;
    json_t *names = json_array(), *likelihoods = json_array(), *pseudo = json_array();
    for (size_t i = 0; i < d->data->label_names; i++) json_array_append_new(names, json_text(d->data->label_name[i]));
    for (size_t i = 0; (name = likelihood_at(d, i)); i++) {
        json_array_append_new(likelihoods, json_string(name));
        if (i < MOST_LIKELIHOODS && d->is_pseudo[i]) json_array_append_new(pseudo, json_string(name));
    }
    json_t *object = json_pack(
        "{s:o, s:I, s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "source", json_text(d->data->source), "rows",
        (json_int_t)images->rows, "cols", (json_int_t)images->cols, "values", images->values ? "reals" : "bytes",
        "train", split_object(&d->train), "test", d->test.n ? split_object(&d->test) : json_null(), "test_in_train",
        d->test.n ? json_integer((json_int_t)summary_common(&d->train, &d->test)) : json_null(), "label_names", names,
        "likelihoods", likelihoods, "pseudo_likelihoods", pseudo);
    return json_print(object, JSON_INDENT(2) | JSON_REAL_PRECISION(9), err);
}

/* ---- The command ------------------------------------------------------------------------------------------------ */

static vae_status show(const struct arguments *arguments, const vae_data *data, vae_error *err)
{
    struct description d = {.data = data};
    vae_status status = describe(&d, err);
    if (!status && argument(arguments, "json"))
        status = print_json(&d, err);
    else if (!status && argument(arguments, "check"))
        print_heading(data);
    else if (!status)
        print_text(&d);
    description_free(&d);
    return status;
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return !word || !strcmp(word, a) || !strcmp(word, b);
}

static vae_status read_conversion(const struct arguments *a, struct conversion *c, vae_error *err)
{
    *c = (struct conversion){argument(a, "to"), argument(a, "output"), argument(a, "split")};
    if (!is_one_of(c->to, "idx", "npy")) return vae_fail(err, VAE_E_USAGE, "--to: '%s' (expected idx or npy)", c->to);
    if (!is_one_of(c->split, "train", "test"))
        return vae_fail(err, VAE_E_USAGE, "--split: '%s' (expected train or test)", c->split);
    if (!c->to != !c->output) return vae_fail(err, VAE_E_USAGE, "data: --to and --output go together");
    if (c->split && !c->to) return vae_fail(err, VAE_E_USAGE, "data: --split is for --to");
    if (c->to && (argument(a, "json") || argument(a, "check")))
        return vae_fail(err, VAE_E_USAGE, "data: --to writes files (expected no --json and no --check)");
    return VAE_OK;
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    struct conversion conversion;
    double holdout;
    uint64_t seed;
    vae_data *data = NULL;
    vae_status status = read_conversion(arguments, &conversion, err);
    if (!status) status = argument_real(arguments, "holdout", 0, 1, 0, &holdout, err);
    if (!status) status = argument_count(arguments, "seed", 0, 9007199254740991.0, 1, &seed, err);
    if (!status) status = vae_data_open(&data, arguments->file, holdout, 0, seed, err);
    if (!status) status = conversion.to ? convert(data, &conversion, err) : show(arguments, data, err);
    vae_data_free(&data);
    return status;
}

static const struct flag flags[] = {
    {"check", 0, NULL, "only read everything, and say in one line what it is"},
    {"to", 0, "idx|npy", "write the data in this format instead; idx holds bytes alone"},
    {"output", 'o', "FILE|FOLDER/", "where to; a folder gets both splits with labels, as IDX under the MNIST names"},
    {"split", 0, "train|test", "the split that goes into a file [the only one]"},
    {"holdout", 0, "F", "share of data without a test split that becomes one [0]"},
    {"seed", 0, "N", "of the choice of that share [1]"},
    {"json", 0, NULL, "one JSON object on stdout"},
    {0},
};

const struct command command_data = {
    .name = "data",
    .group = EXCHANGE,
    .summary = "describe, check or convert a source of data",
    .details = "Describes what --data of other commands takes: sizes of splits, values, labels, how many test images\n"
               "are training images, too, and which likelihoods take the values. SOURCE is\n\n"
               "  a folder  with files under the names of MNIST (KMNIST, Fashion-MNIST) or\n"
               "            EMNIST, plain or .gz;\n"
               "            with the .bin files of CIFAR-10;\n"
               "            with PNG files of one size, whose sub-folders are labels, in the\n"
               "            order of their bytes, also below train and test;\n"
               "            with train.npy and test.npy (labels in train-labels.npy and\n"
               "            test-labels.npy), or train.csv and test.csv\n"
               "  a file    IDX or .npy, plain or .gz;\n"
               "            .csv, a row an observation, perhaps with a header and a column\n"
               "            label;\n"
               "            a .bin file of CIFAR-10\n"
               "  builtin:NAME[:k=v,...]\n\n"
               "Behind a path, :set=NAME takes one of several sets of IDX files, as in emnist:set=letters, and\n"
               ":size=N makes pictures N x N. Colour becomes grey, and what is transparent is seen over white. Names\n"
               "of .csv columns such as pixel0 or 1x1 say that they are the bytes of a picture.",
    .takes_file = "SOURCE",
    .flags = flags,
    .run = run,
};
