/*
 * Exchanges a directory and a symlink to argv[2] for each other in argv[1], as fast as the kernel can, for ever. What
 * others remove is made again.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void make(const char *target)
{
	mkdir("a", 0755);
	mkdir("a/sub", 0755);
	close(open("a/sub/secret", O_CREAT | O_WRONLY, 0644));
	close(open("a/secret", O_CREAT | O_WRONLY, 0644));
	if (symlink(target, "b") < 0)
		return;
}

int main(int argc, char **argv)
{
	if (argc != 3 || chdir(argv[1]) < 0)
		return 1;
	for (unsigned round = 0;; round++) {
		if (round % 16 == 0)
			make(argv[2]);
		syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE);
	}
}
