#!/usr/bin/env bash
# Builds the theory and compares what every theorem rests on with assumptions.txt, the axioms of the
# reals. Ends with "coq: N theorems checked, 0 failed"; fails with a sentence otherwise.
set -euo pipefail
cd "$(dirname "$0")"
command -v coqc >/dev/null || {
  echo 'coq: coqc is missing; on Debian: apt-get install coq libcoq-coquelicot' >&2
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
cd "$build"
for file in $files; do
  coqc -Q . Xattn "$file" || { echo "coq: $file does not check" >&2; exit 1; }
done
names=()
{
  for file in $files; do
    module=${file%.v}
    echo "From Xattn Require $module."
    for name in $(grep -oE '^Theorem [A-Za-z0-9_]+' "$file" | cut -d' ' -f2); do
      echo "Print Assumptions $module.$name."
    done
  done
} >Assumptions.v
count=$(grep -c '^Print' Assumptions.v)
coqc -Q . Xattn Assumptions.v >printed.txt
# Coq prints "Axioms:" and then one name per entry at the start of a line, its type indented or after
# a colon; "Closed under the global context" where there is none.
grep -vE '^(Axioms:|Closed under the global context| )' printed.txt | sed 's/[ :].*//' | sort -u >axioms.txt
if ! diff -u "$OLDPWD/assumptions.txt" axioms.txt; then
  echo 'coq: the theorems rest on other axioms than spec/theory/assumptions.txt lists' >&2
  exit 1
fi
echo "coq: $count theorems checked, 0 failed"
