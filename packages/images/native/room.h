/* What an archive may take of a disk: all but a rest for those who live on it. */
#ifndef ROOM_H
#define ROOM_H

#include <stdint.h>

#define ROOM_OF_FILE 4096u /* of its node and its name */

/* Call before so many bytes are written to the file system of `fd`. Ends the process where too little would be left. */
void take_room(int fd, uint64_t bytes, const char *path);

#endif
