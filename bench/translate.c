/*
 * The walk of lib/x86/table-walker.ts and lib/x86/rights.ts in C, over the same tables and
 * addresses as bench/translate-worker.ts builds. Arguments: pages, rounds, access, mode,
 * levels. Prints one line of JSON: walks a second and a checksum of the answers.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ADDRESSES 65536
#define MEMORY_PAGES 65536u
#define ROOT 16u
#define START 0xffffc90000000000ull

static uint64_t *mem;
static uint64_t reserved;
static int levels;

static void map(uint64_t va, uint64_t pa, uint64_t *next)
{
	uint64_t table = ROOT;
	for (int level = levels; level > 1; level--) {
		uint64_t *entry = &mem[table * 512 + ((va >> (3 + 9 * level)) & 511)];
		if (!(*entry & 1))
			*entry = (*next)++ << 12 | 0x63;
		table = (*entry >> 12) & 0xffffffffff;
	}
	mem[table * 512 + ((va >> 12) & 511)] = pa | 0x8000000000000163ull;
}

/* The physical address, or all ones with the kind of fault in *fault. */
__attribute__((noinline)) static uint64_t walk(uint64_t va, int access, int mode, int *fault)
{
	int64_t top = (int64_t)va >> (levels == 5 ? 56 : 47);
	if (top != 0 && top != -1)
		return *fault = 1, ~0ull;
	uint64_t table = ROOT;
	unsigned bits = 7;
	for (int level = levels;; level--) {
		uint64_t word = table * 512 + ((va >> (3 + 9 * level)) & 511);
		uint64_t entry = table < MEMORY_PAGES ? mem[word] : ~0ull;
		if (!(entry & 1))
			return *fault = 2, ~0ull;
		int leaf = level == 1 || (level <= 3 && (entry & 0x80));
		uint64_t low = level >= 4 ? 0x80 : !leaf || level == 1 ? 0 : level == 3 ? 0x3fffe000 : 0x1fe000;
		if (entry & (reserved | low))
			return *fault = 3, ~0ull;
		bits &= ((entry >> 1) & 3) | 4;
		if (entry >> 63)
			bits &= 3;
		if (leaf) {
			int user = (bits & 2) != 0, writable = bits & 1, executable = (bits & 4) != 0, ok;
			if (mode == 1)
				ok = user && (access == 0 || (access == 1 ? writable : executable));
			else
				ok = access == 2 ? executable && !user : !user && (access == 0 || writable);
			if (!ok)
				return *fault = 4, ~0ull;
			uint64_t marks = access == 1 ? 0x60 : 0x20;
			if ((entry & marks) != marks)
				mem[word] = entry | marks;
			uint64_t in_page = (1ull << (3 + 9 * level)) - 1;
			return (entry & 0xffffffffff000ull & ~in_page) | (va & in_page);
		}
		if (!(entry & 0x20))
			mem[word] = entry | 0x20;
		table = (entry >> 12) & 0xffffffffff;
	}
}

int main(int argc, char **argv)
{
	if (argc != 6)
		return 2;
	uint32_t pages = atoi(argv[1]), x = 12345, sum = 0;
	int rounds = atoi(argv[2]), access = atoi(argv[3]), mode = atoi(argv[4]), fault = 0;
	levels = atoi(argv[5]);
	reserved = 0xfc00000000000ull; /* MAXPHYADDR 46 */
	mem = calloc(MEMORY_PAGES, 4096);
	uint64_t *vas = malloc(ADDRESSES * sizeof(*vas)), next = ROOT + 1;
	for (uint32_t i = 0; i < pages; i++)
		map(START + i * 4096ull, (uint64_t)(i * 7919u % MEMORY_PAGES) << 12, &next);
	for (int i = 0; i < ADDRESSES; i++) {
		x = x * 1664525u + 1013904223u;
		vas[i] = START + ((uint64_t)((x >> 8) % pages) << 12) + (x & 0xff8);
	}
	double best = 0;
	for (int round = 0; round < rounds; round++) {
		struct timespec a, b;
		clock_gettime(CLOCK_MONOTONIC, &a);
		for (int i = 0; i < ADDRESSES; i++)
			sum = sum * 31 + (uint32_t)walk(vas[i], access, mode, &fault);
		clock_gettime(CLOCK_MONOTONIC, &b);
		double rate = ADDRESSES / ((b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9);
		if (rate > best)
			best = rate;
	}
	printf("{\"rate\":%.0f,\"checksum\":%" PRIu32 ",\"fault\":%d}\n", best, sum, fault);
	return 0;
}
