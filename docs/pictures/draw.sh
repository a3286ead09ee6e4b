#!/bin/sh
# Draws the three diagrams with Graphviz: light and dark for these pages, and once for the front pages
# of rustdoc, whose colours follow the reader's theme. The screenshots are made by
# `cargo xtask view --save`.
set -eu
cd "$(dirname "$0")"
draw() { # draw NAME TEXT-COLOUR LINE-COLOUR
  dot -Tsvg -Gbgcolor=transparent -Gfontname="Helvetica,sans-serif" -Gfontsize=13 -Gfontcolor="$2" \
    -Nshape=box -Nstyle=rounded -Nfontname="Helvetica,sans-serif" -Nfontsize=13 -Ncolor="$3" \
    -Nfontcolor="$2" -Efontname="Helvetica,sans-serif" -Efontsize=11 -Ecolor="$3" -Efontcolor="$3" \
    "$1.dot"
}
for name in cancel request adopt; do
  draw "$name" "#1b1f24" "#5d6672" > "$name-light.svg"
  draw "$name" "#e4e7eb" "#98a2ae" > "$name-dark.svg"
done
# A picture inside of the page, since a package has no pictures beside its documentation. A blank line
# would end the HTML. A colour of our own stands for each of the theme's.
inline() { # inline NAME CRATE TEXT
  file="../../crates/$2/src/docs/$1.svg"
  {
    echo "<div role=\"img\" aria-label=\"$3\">"
    draw "$1" "#111111" "#222222" | sed -e '1,/^ -->/d' -e '/<title>/d' -e '/^<!--/d' -e '/^$/d' |
      sed -n '/<svg/,$p' | sed -e 's/<svg width="\([0-9]*\)pt" height="[^"]*"/<svg width="100%" style="max-width: \1px"/' \
        -e 's/#111111/var(--main-color)/g' -e 's/#222222/#888888/g'
    echo "</div>"
  } > "$file"
}
cancel="A cancelled request ends its tasks and their queries; its neighbour, and work that only took its values, go on"
inline cancel tokio-ctx "$cancel"
inline cancel tokio-ctx-core "$cancel"
inline adopt spawn_scoped "When the future of an inner scope is dropped, the outer scope waits for its tasks"
inline request tokio-ctx-tower "A request passes the layer, the handler, its tasks and the next service; a hang-up, a deadline or a shutdown ends them"
