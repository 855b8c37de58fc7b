/* SPDX-License-Identifier: MIT
 *
 * Comma-separated values (RFC 4180): a line is an observation of D real numbers, taken as they are.
 *
 *     label,height,width          an optional header: none of its fields is a number, or one is called label
 *     0,1.5,-2e3                  numbers as strtod reads them in the C locale; fields may be quoted
 *
 * A column called label holds whole numbers from 0 to 255. Where a header calls all other columns pixel0, pixel1, ...
 * or 1x1, 1x2, ..., as copies of MNIST do, they are bytes of a picture, which is square where their number is; without
 * such names no value is taken for a byte. Lines end in \n or \r\n, empty ones may follow the last.
 *
 * The file is read once through a buffer (its first line twice), field by field, so that no line has to fit into
 * memory; fields, columns and numbers in all have limits. */
#include <ctype.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "data/format.h"
#include "data/source.h"

enum { BUFFER = 1 << 16, LONGEST_FIELD = 256, MOST_NUMBERS = 1 << 30, NO_LABEL = -1 };

struct csv {
    const struct input *input;
    vae_images *images;
    uint8_t *buffer;
    size_t at, end; /* in the buffer */
    size_t line, column;
    char field[LONGEST_FIELD];
    enum { COMMA, LINE_END, FILE_END } ended; /* what came behind the field */
    size_t columns;
    long label;     /* the column, or NO_LABEL */
    bool is_header; /* of the first line */
    bool is_pixels; /* by its names */
    size_t room;    /* of the images, in rows */
    vae_error *err;
};

VAE_PRINTF(2, 3)
static vae_status fail_at(const struct csv *c, const char *format, ...)
{
    char what[LONGEST_FIELD + 128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return vae_fail(c->err, VAE_E_DATA, "%s: line %zu, column %zu: %s", c->input->path, c->line, c->column, what);
}

/* ---- Fields ----------------------------------------------------------------------------------------------------- */

/* The next character into *c, or -1 at the end of the file. */
static vae_status next(struct csv *c, int *character)
{
    if (c->at == c->end) {
        c->at = 0;
        vae_status status = input_read_some(c->input, c->buffer, BUFFER, &c->end, c->err);
        if (status) return status;
    }
    *character = c->at < c->end ? c->buffer[c->at++] : -1;
    return VAE_OK;
}

static vae_status append(struct csv *c, size_t *length, int character)
{
    if (*length + 1 == sizeof c->field) return fail_at(c, "longer than %d characters", LONGEST_FIELD - 1);
    if (!character) return fail_at(c, "has a zero byte (expected text)");
    c->field[(*length)++] = (char)character;
    return VAE_OK;
}

/* From behind its first quote to the character behind its last one; "" stands for a quote in it. */
static vae_status read_quoted(struct csv *c, size_t *length, int *character)
{
    vae_status status = next(c, character);
    while (!status) {
        if (*character < 0 || *character == '\n') return fail_at(c, "a quote is not closed in its line");
        if (*character == '"') {
            status = next(c, character);
            if (status || *character != '"') return status;
        }
        status = append(c, length, *character);
        if (!status) status = next(c, character);
    }
    return status;
}

static bool is_blank(int character) { return character == ' ' || character == '\t' || character == '\r'; }

/* A field without the blanks around it, and what ended it. */
static vae_status read_field(struct csv *c)
{
    size_t length = 0;
    int character = -1;
    c->column++;
    vae_status status = next(c, &character);
    while (!status && is_blank(character)) status = next(c, &character);
    const bool is_quoted = !status && character == '"';
    if (is_quoted) status = read_quoted(c, &length, &character);
    while (!status && character >= 0 && character != ',' && character != '\n') {
        if (!is_quoted)
            status = append(c, &length, character);
        else if (!is_blank(character))
            return fail_at(c, "text behind a closing quote");
        if (!status) status = next(c, &character);
    }
    while (!is_quoted && length > 0 && is_blank(c->field[length - 1])) length--;
    c->field[length] = '\0';
    c->ended = character == ',' ? COMMA : character == '\n' ? LINE_END : FILE_END;
    return status;
}

/* strtod takes nan and inf, too: numbers that are refused later, and no names. */
static bool to_number(const char *text, double *value)
{
    char *end;
    *value = strtod(text, &end);
    return end != text && !*end && !strpbrk(text, "xX");
}

/* ---- The first line --------------------------------------------------------------------------------------------- */

/* pixel0 or 1x1. */
static bool is_pixel_name(const char *name)
{
    if (!strncasecmp(name, "pixel", 5)) return isdigit((unsigned char)name[5]);
    return isdigit((unsigned char)*name) && name[strspn(name, "0123456789")] == 'x';
}

/* From the start of the file, where a byte order mark may stand. */
static vae_status start(struct csv *c)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    c->line = 1;
    c->column = c->at = 0;
    c->ended = LINE_END;
    vae_status status = input_rewind(c->input, c->err);
    if (!status) status = input_read_some(c->input, c->buffer, BUFFER, &c->end, c->err);
    if (!status && c->end >= sizeof mark && !memcmp(c->buffer, mark, sizeof mark)) c->at = sizeof mark;
    return status;
}

/* How many columns there are, and what their names tell, if they are names. */
static vae_status read_first_line(struct csv *c)
{
    size_t numbers = 0, nameless = 0;
    double value;
    vae_status status = start(c);
    c->label = NO_LABEL;
    c->is_pixels = true;
    do {
        if (!status) status = read_field(c);
        if (status) return status;
        if (c->column > MAX_SIDE + 1) return fail_at(c, "more columns than %d", MAX_SIDE + 1);
        numbers += to_number(c->field, &value);
        if (!*c->field && !nameless) nameless = c->column;
        if (!strcasecmp(c->field, "label")) {
            if (c->label != NO_LABEL) return fail_at(c, "a second column called label");
            c->label = (long)c->column - 1;
        } else if (!is_pixel_name(c->field)) {
            c->is_pixels = false;
        }
    } while (c->ended == COMMA);
    c->columns = c->column;
    c->is_header = c->label != NO_LABEL || numbers == 0;
    c->is_pixels = c->is_pixels && c->is_header;
    if (c->columns == (c->label != NO_LABEL)) return fail_at(c, "no column of numbers beside the labels");
    c->column = nameless;
    if (c->is_header && nameless)
        return fail_at(c, "no name (a column that numbers the rows does not belong to the data)");
    return VAE_OK;
}

/* ---- Rows ------------------------------------------------------------------------------------------------------- */

static size_t numbers_of(const struct csv *c) { return c->columns - (c->label != NO_LABEL); }

/* Room for one row more. */
static vae_status grow(struct csv *c)
{
    vae_images *images = c->images;
    const size_t D = numbers_of(c);
    if (images->n < c->room) return VAE_OK;
    if ((images->n + 1) * D > MOST_NUMBERS)
        return vae_fail(c->err, VAE_E_DATA, "%s: more than %d numbers (IDX and .npy files may have more)",
                        c->input->path, MOST_NUMBERS);
    const size_t room = 2 * c->room + 1 + 1024 / D;
    uint8_t *pixels = c->is_pixels ? realloc(images->pixels, room * D) : NULL;
    float *values = c->is_pixels ? NULL : realloc(images->values, room * D * sizeof *values);
    uint8_t *labels = c->label != NO_LABEL ? realloc(images->labels, room) : NULL;
    if (pixels) images->pixels = pixels;
    if (values) images->values = values;
    if (labels) images->labels = labels;
    if (!(pixels || values) || (c->label != NO_LABEL && !labels))
        return vae_fail(c->err, VAE_E_MEMORY, "%s: out of memory (%zu rows of %zu numbers)", c->input->path, room, D);
    c->room = room;
    return VAE_OK;
}

static vae_status take_byte(const struct csv *c, const char *what, uint8_t *byte)
{
    double value;
    if (!to_number(c->field, &value) || !(value >= 0 && value <= UINT8_MAX) || value != floor(value))
        return fail_at(c, "%s '%s' (expected a whole number from 0 to %d)", what, c->field, UINT8_MAX);
    *byte = (uint8_t)value;
    return VAE_OK;
}

static vae_status take_value(struct csv *c, float *to)
{
    vae_images *images = c->images;
    double value;
    if (!*c->field) return fail_at(c, "empty (expected a number)");
    if (!to_number(c->field, &value))
        return fail_at(c, "'%s' is not a number%s", c->field,
                       strpbrk(c->field, ";\t") ? " (expected commas between the columns)" : "");
    if (!(fabs(value) <= (double)FLT_MAX))
        return fail_at(c, "%s (expected finite numbers of at most %g)", c->field, (double)FLT_MAX);
    const float v = *to = (float)value;
    if (to == images->values) images->lowest = images->highest = v;
    if (v < images->lowest) images->lowest = v;
    if (v > images->highest) images->highest = v;
    return VAE_OK;
}

/* The field at c->column of the row that is read. */
static vae_status take_field(struct csv *c)
{
    vae_images *images = c->images;
    const size_t column = c->column - 1, before = c->label != NO_LABEL && (size_t)c->label < column;
    const size_t place = images->n * numbers_of(c) + column - before;
    if (column == (size_t)c->label) return take_byte(c, "label", &images->labels[images->n]);
    return c->is_pixels ? take_byte(c, "pixel", &images->pixels[place]) : take_value(c, &images->values[place]);
}

static vae_status read_row(struct csv *c, bool *is_empty)
{
    vae_status status = grow(c);
    c->column = 0;
    do {
        if (!status) status = read_field(c);
        if (status) return status;
        *is_empty = c->column == 1 && c->ended != COMMA && !*c->field;
        if (*is_empty) return VAE_OK;
        if (c->column > c->columns) return fail_at(c, "one column too many (line 1 has %zu)", c->columns);
        status = take_field(c);
    } while (c->ended == COMMA);
    if (!status && c->column < c->columns)
        status = fail_at(c, "the line ends here (line 1 has %zu columns)", c->columns);
    c->images->n += !status;
    return status;
}

static vae_status read_rows(struct csv *c)
{
    size_t empty = 0; /* the first such line */
    bool is_empty;
    vae_status status = c->is_header ? VAE_OK : start(c);
    for (c->line = c->is_header ? 2 : 1; !status && c->ended != FILE_END; c->line++) {
        status = read_row(c, &is_empty);
        if (!status && is_empty && !empty) empty = c->line;
        if (!status && !is_empty && empty)
            return vae_fail(c->err, VAE_E_DATA, "%s: line %zu: empty, and line %zu is not", c->input->path, empty,
                            c->line);
    }
    return status;
}

/* ---- The format ------------------------------------------------------------------------------------------------- */

static void set_shape(const struct csv *c, vae_images *images)
{
    const size_t D = numbers_of(c), side = (size_t)(sqrt((double)D) + 0.5);
    const bool is_square = c->is_pixels && side * side == D;
    images->rows = is_square ? side : 1;
    images->cols = is_square ? side : D;
}

static vae_status read_text(struct csv *c)
{
    vae_status status = read_first_line(c);
    if (!status) status = read_rows(c);
    if (!status && !c->images->n) status = vae_fail(c->err, VAE_E_DATA, "%s: a header and no rows", c->input->path);
    if (!status) set_shape(c, c->images);
    return status;
}

/* strtod reads what the host program's locale says, so it is set aside for a while. */
static vae_status read_images(const struct input *input, size_t most, vae_images *images, vae_error *err)
{
    (void)most; /* real numbers stay in memory */
    struct csv c = {.input = input, .images = images, .err = err, .buffer = malloc(BUFFER)};
    const locale_t numbers = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    vae_status status = VAE_E_MEMORY;
    if (c.buffer && numbers) {
        const locale_t before = uselocale(numbers);
        status = read_text(&c);
        uselocale(before);
    } else {
        vae_fail(err, VAE_E_MEMORY, "%s: out of memory", input->path);
    }
    if (numbers) freelocale(numbers);
    free(c.buffer);
    return status;
}

/* Text: no control characters but those between fields, or a byte order mark. */
static bool is_csv(const uint8_t start[4])
{
    for (size_t i = 0; i < 4; i++)
        if (start[i] == 0x7f || (start[i] < 0x20 && !memchr("\t\r\n", start[i], 3))) return false;
    return start[0] < 0x80 || !memcmp(start, "\xef\xbb\xbf", 3);
}

const struct format_ops format_csv = {.name = ".csv", .is = is_csv, .read = read_images};
