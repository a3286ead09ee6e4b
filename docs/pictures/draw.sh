#!/bin/sh
# Draws the three diagrams, light and dark, with Graphviz. The screenshots are made by
# `cargo xtask view --save`.
set -eu
cd "$(dirname "$0")"
draw() { # draw NAME TEXT-COLOUR LINE-COLOUR THEME
  dot -Tsvg -Gbgcolor=transparent -Gfontname="Helvetica,sans-serif" -Gfontsize=13 -Gfontcolor="$2" \
    -Nshape=box -Nstyle=rounded -Nfontname="Helvetica,sans-serif" -Nfontsize=13 -Ncolor="$3" \
    -Nfontcolor="$2" -Efontname="Helvetica,sans-serif" -Efontsize=11 -Ecolor="$3" -Efontcolor="$3" \
    "$1.dot" -o "$1-$4.svg"
}
for name in cancel request adopt; do
  draw "$name" "#1b1f24" "#5d6672" light
  draw "$name" "#e4e7eb" "#98a2ae" dark
done
