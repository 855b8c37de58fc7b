# SPDX-License-Identifier: MIT
"""How time and memory grow: python3 bench/scale.py VAECTL DATA OUTPUT.svg

From 784-400-20 at batch 128 one size at a time is varied. Prints a table and draws time per image against size, both
logarithmic, as an SVG."""
import json
import math
import os
import subprocess
import sys

SWEEPS = {  # name: (flag, values, other flags)
    "threads": ("--threads", sorted({1, 2, os.cpu_count()}), ["--latent", "20"]),
    "training images": ("--data", [1000, 10000, 100000], ["--latent", "20"]),
    "batch": ("--batch", [4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048], ["--latent", "20"]),
    "hidden width": ("--hidden", [25, 50, 100, 200, 400, 800, 1600, 3200], ["--latent", "20"]),
    "latent size": ("--latent", [2, 5, 10, 20, 50, 100, 200, 500], []),
    "KL samples (spike-and-slab)": ("--kl-samples", [1, 2, 5, 10, 20, 50, 100], ["--prior", "spikeslab", "--latent", "20"]),
}
COLOURS = ["#000000", "#e69f00", "#0072b2", "#d55e00", "#009e73", "#cc79a7"]
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 780, 460, 70, 230, 20, 50


def measure(vaectl, data, flags):
    words = [vaectl, "bench", "--data", data, "--rounds", "3", "--json"] + flags  # the last --data counts
    report = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    result = report["results"][0]
    return 1e6 / result["images_per_second"], report["peak_memory_mb"]


def sweep(vaectl, data, flag, values, others):
    """[(value, microseconds an image, peak MB)]"""
    form = "builtin:digits:train={}" if flag == "--data" else "{}"
    return [(v, *measure(vaectl, data, others + [flag, form.format(v)])) for v in values]


def text(x, y, words, anchor="middle", extra=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {extra}>{words}</text>'


def draw(results, path):
    sizes = [p[0] for points in results.values() for p in points]
    times = [p[1] for points in results.values() for p in points]
    x0, x1 = math.log10(min(sizes)), math.log10(max(sizes))
    y0, y1 = math.log10(min(times)) - 0.1, math.log10(max(times)) + 0.1

    def px(v):
        return LEFT + (math.log10(v) - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)

    def py(v):
        return HEIGHT - BOTTOM - (math.log10(v) - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM)

    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
             'font-size="13">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for power in range(-1, 6):
        for m in (1, 2, 5):
            v = m * 10 ** power
            if min(sizes) <= v <= max(sizes):
                lines.append(f'<line x1="{px(v):.1f}" y1="{TOP}" x2="{px(v):.1f}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>')
                lines.append(text(px(v), HEIGHT - BOTTOM + 18, v))
            if y0 <= math.log10(v) <= y1:
                lines.append(f'<line x1="{LEFT}" y1="{py(v):.1f}" x2="{WIDTH - RIGHT}" y2="{py(v):.1f}" stroke="#ddd"/>')
                lines.append(text(LEFT - 8, py(v) + 4, v, "end"))
    lines.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "size"))
    lines.append(text(18, (TOP + HEIGHT - BOTTOM) / 2, "microseconds an image",
                      extra=f'transform="rotate(-90 18 {(TOP + HEIGHT - BOTTOM) / 2})"'))
    for i, (name, points) in enumerate(results.items()):
        path_points = " ".join(f"{px(v):.1f},{py(t):.1f}" for v, t, _ in points)
        lines.append(f'<polyline points="{path_points}" fill="none" stroke="{COLOURS[i]}" stroke-width="2"/>')
        lines += [f'<circle cx="{px(v):.1f}" cy="{py(t):.1f}" r="3.5" fill="{COLOURS[i]}"/>' for v, t, _ in points]
        y = TOP + 20 + 22 * i
        lines.append(f'<circle cx="{WIDTH - RIGHT + 16}" cy="{y - 4}" r="5" fill="{COLOURS[i]}"/>')
        lines.append(text(WIDTH - RIGHT + 28, y, name, "start"))
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines + ["</svg>", ""]))


def main():
    vaectl, data, output = sys.argv[1:]
    results = {name: sweep(vaectl, data, *how) for name, how in SWEEPS.items()}
    print("| size | value | microseconds an image | peak memory, MB |\n|---|---|---|---|")
    for name, points in results.items():
        for value, microseconds, memory in points:
            print(f"| {name} | {value} | {microseconds:.1f} | {memory:.0f} |")
    draw(results, output)


main()
