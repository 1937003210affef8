/*
 * Exchanges a directory and a symlink to argv[2] for each other in argv[1], as fast as the kernel can, for ever. What
 * others remove or replace is made again.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_directory(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_link(const char *path, const char *target)
{
	char buffer[256] = "";

	return readlink(path, buffer, sizeof(buffer) - 1) > 0 && strcmp(buffer, target) == 0;
}

static void make(const char *target)
{
	static unsigned count;
	char trash[32];

	if ((is_directory("a") && is_link("b", target)) || (is_directory("b") && is_link("a", target)))
		return;
	for (int i = 0; i < 2; i++) {
		snprintf(trash, sizeof(trash), "trash%u", count++);
		rename(i == 0 ? "a" : "b", trash);
		unlink(trash);
	}
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
		if (round % 64 == 0)
			make(argv[2]);
		syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE);
	}
}
