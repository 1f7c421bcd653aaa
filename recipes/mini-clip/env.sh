# Settings without which training on two cores takes up to twice as long: `. ./env.sh` before the Python commands.
# glibc would give every large buffer back to the kernel and fault it in again at the next step; and threads that
# spin while they wait take the time from whatever else runs on the machine.
export OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=0
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=268435456
