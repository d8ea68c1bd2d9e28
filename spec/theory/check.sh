#!/usr/bin/env bash
# check.sh [FOLDER]: builds the theory of a folder (this one by default) and compares what its
# theorems rest on with the folder's assumptions.txt, the axioms of the reals. Prints a line
# "coq: MODULE: theorem ..." for each file and ends with "coq: N theorems checked, 0 failed"; fails
# with a sentence otherwise.
set -euo pipefail
cd "${1:-$(dirname "$0")}"
command -v coqc >/dev/null || {
  echo 'coq: coqc is missing; on Debian: apt-get install coq libcoq-coquelicot libcoq-flocq libcoq-interval' >&2
  exit 1
}
if grep -nE '\b(Admitted|admit|Axiom|Parameter|Conjecture)\b' ./*.v; then
  echo 'coq: the lines above are not proofs' >&2
  exit 1
fi
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
files=$(grep '\.v$' _CoqProject)
missing=$(comm -13 <(sort <<<"$files") <(ls ./*.v | sed 's|^\./||' | sort))
if [ -n "$missing" ]; then
  echo "coq: not listed in _CoqProject: $missing" >&2
  exit 1
fi
cp $files "$build"
theory=$PWD
cd "$build"
for file in $files; do
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
echo "coq: $count theorems checked, 0 failed"
