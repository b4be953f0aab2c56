#!/bin/bash
#SBATCH --job-name=spinenet
#SBATCH --array=1-8
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=12:00:00
#SBATCH --requeue
# Grades studies.txt as a job array; each task does one shard and goes on where it stopped when it is requeued.
set -eu
export RAYON_NUM_THREADS="${SLURM_CPUS_PER_TASK:-2}"
grade() {
    spinenet grade --list studies.txt --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
        --out "grades-$SLURM_ARRAY_TASK_ID.jsonl" --no-times --quiet
}
# Studies that fail are in the results but give status 1; a second run finds them done and gives 0, other faults stay.
grade || grade
