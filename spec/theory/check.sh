#!/usr/bin/env bash
# check.sh [FOLDER]: builds the theory of a folder (this one by default) and compares what its
# theorems rest on with the folder's assumptions.txt, the axioms of the reals, and what they say, as
# Coq prints it, with statements/MODULE.txt: a hypothesis more, or a definition changed, shows there.
# Prints a line "coq: MODULE: theorem ..." for each file and ends with "coq: N theorems checked, 0
# failed"; fails with a sentence otherwise.
#
# XATTN_UPDATE=1 writes statements/ anew: read the difference before it is committed, for it is what
# is claimed. XATTN_BUILD=DIR keeps the compiled files there and compiles again only what has changed
# and what needs it.
set -euo pipefail
export LC_ALL=C
cd "${1:-$(dirname "$0")}"
command -v coqc >/dev/null || {
  echo 'coq: coqc is missing; on Debian: apt-get install coq libcoq-coquelicot libcoq-flocq libcoq-interval' >&2
  exit 1
}
if grep -nE '\b(Admitted|admit|Axiom|Parameter|Conjecture)\b' ./*.v; then
  echo 'coq: the lines above are not proofs' >&2
  exit 1
fi
if [ -n "${XATTN_BUILD:-}" ]; then
  mkdir -p "$XATTN_BUILD"
  build=$(cd "$XATTN_BUILD" && pwd)
else
  build=$(mktemp -d)
  trap 'rm -rf "$build"' EXIT
fi
files=$(grep '\.v$' _CoqProject)
missing=$(comm -13 <(sort <<<"$files") <(ls ./*.v | sed 's|^\./||' | sort))
if [ -n "$missing" ]; then
  echo "coq: not listed in _CoqProject: $missing" >&2
  exit 1
fi
theory=$PWD
cd "$build"
stale=' '
for file in $files; do
  needs=$(tr '\n' ' ' <"$theory/$file" | grep -oE 'From Xattn Require[^.]*' || true)
  if cmp -s "$theory/$file" "$file" && [ -f "${file}o" ]; then
    fresh=1
    for module in $needs; do [[ $stale == *" $module "* ]] && fresh=; done
    [ -n "$fresh" ] && continue
  fi
  stale+="${file%.v} "
  rm -f "${file}o"
  cp "$theory/$file" "$file"
done
# Only now: a run that fails half-way leaves nothing that a later one would take for fresh.
for file in $files; do
  [ -f "${file}o" ] && continue
  coqc -q -w -all -Q . Xattn "$file" || { echo "coq: the theory does not check: $file" >&2; exit 1; }
done
# All theorems as one term, so that Coq walks what they have in common once.
count=0
{
  term=
  for file in $files; do
    module=${file%.v}
    names=$(grep -oE '^ *Theorem [A-Za-z0-9_]+' "$file" | sed 's/.* //' || true)
    [ -n "$names" ] || continue
    echo "coq: $module:" $names >&2
    echo "From Xattn Require $module."
    for name in $names; do
      term+="(@$module.$name, "
      count=$((count + 1))
    done
  done
  echo "Definition theorems := $term tt$(printf ')%.0s' $(seq "$count"))."
  echo 'Print Assumptions theorems.'
  echo "$count" >count.txt
} >Assumptions.v 2>names.txt
cat names.txt
count=$(cat count.txt)
if [ "$count" -eq 0 ]; then
  echo 'coq: no theorem found' >&2
  exit 1
fi
coqc -q -w -all -Q . Xattn Assumptions.v >printed.txt
# Coq prints "Axioms:" and then one name per entry at the start of a line, its type indented or after
# a colon; "Closed under the global context" where there is none.
grep -vE '^(Axioms:|Closed under the global context| )' printed.txt | sed 's/[ :].*//' | sort -u >axioms.txt || true
if ! diff -u "$theory/assumptions.txt" axioms.txt; then
  echo 'coq: the theorems rest on other axioms than assumptions.txt lists' >&2
  exit 1
fi

# What the theorems say: the type of each, then every definition of ours that is named there, in
# those definitions, and so on. A name of ours is MODULE.NAME, for nothing of ours is imported.
modules=$(sed 's/\.v$//' <<<"$files")
ours="\\b($(paste -sd'|' <<<"$modules"))\\.[A-Za-z0-9_']+"
rm -rf said && mkdir said
todo=$(sed -E "s/^coq: ([^:]+): /\1 /" names.txt |
  awk '{ for (n = 2; n <= NF; n++) print "Check @" $1 "." $n }')
while [ -n "$todo" ]; do
  {
    echo 'From Coq Require Import Reals List.'
    sed 's/.*/From Xattn Require &./' <<<"$modules"
    echo 'Open Scope R_scope. Set Printing Width 98. Set Printing Depth 1000000.'
    sed -E "s/^(Check @|Print )(.*)$/Redirect \"said\/\2\" \1Xattn.\2./" <<<"$todo"
  } >Statements.v
  coqc -q -w -all -Q . Xattn Statements.v
  todo=$(comm -23 <(cat said/*.out | grep -oE "$ours" | sort -u) \
    <(ls said | sed 's/\.out$//' | sort) | sed 's/^/Print /')
done
rm -rf statements && mkdir statements
for module in $modules; do
  # A constructor is printed as its type is: once is enough. How arguments may be left out is no
  # part of a claim.
  for item in $(ls said | grep "^$module\." | LC_ALL=C sort); do
    cat "said/$item"
    echo
  done | awk -v RS= -v ORS='\n\n' '!/^Arguments / && !seen[$0]++' >"statements/$module.txt"
  [ -s "statements/$module.txt" ] || rm "statements/$module.txt"
done
if [ "${XATTN_UPDATE:-}" = 1 ]; then
  rm -rf "$theory/statements"
  cp -r statements "$theory/statements"
elif ! diff -ruN "$theory/statements" statements; then
  echo 'coq: the theorems say something else than statements/ ('"$(coqc --version | head -1)"')' >&2
  echo 'coq: if that is meant, XATTN_UPDATE=1 spec/theory/check.sh writes it anew' >&2
  exit 1
fi
echo "coq: $count theorems checked, 0 failed"
