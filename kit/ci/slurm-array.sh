#!/bin/bash
# Two jobs: the array, and one after all of its tasks, whatever became of them.
#   array=$(sbatch --parsable --array=1-8 slurm-array.sh)
#   sbatch --dependency=afterany:$array --export=ALL,MERGE=$array slurm-array.sh
#SBATCH --job-name=attention
#SBATCH --output=attention-%A-%a.log
#SBATCH --time=01:00:00
set -eu
candidate=${CANDIDATE:-'python3 my_kernel.py'}
reports=reports-${MERGE:-$SLURM_ARRAY_JOB_ID}
mkdir -p "$reports"
if [ -n "${MERGE:-}" ]; then
  exec npx xattn merge-reports "$reports"/shard-*.json --report "$reports/attention.json" --html "$reports/attention.html"
fi
exec npx xattn gate --suite core --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --seed "$SLURM_ARRAY_JOB_ID" \
  --candidate "$candidate" --out "out-$SLURM_ARRAY_TASK_ID" --report "$reports/shard-$SLURM_ARRAY_TASK_ID.json"
