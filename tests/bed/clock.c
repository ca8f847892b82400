/* The wall clock of a host whose clock is wrong: OFFSET_S seconds ahead. All other clocks stay as they are.
   It includes nothing, so that a compiler alone, without the C library's headers, can make it. 64 bits only. */

struct timespec { long tv_sec; long tv_nsec; };
struct timeval { long tv_sec; long tv_usec; };

extern void *dlsym(void *handle, const char *name);

#define RTLD_NEXT ((void *)-1L)
#define CLOCK_REALTIME 0
#define CLOCK_REALTIME_COARSE 5

int clock_gettime(int clock, struct timespec *now)
{
    static int (*real)(int, struct timespec *);
    int answer;

    if (!real)
        real = (int (*)(int, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    answer = real(clock, now);
    if (answer == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += OFFSET_S;
    return answer;
}

int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec exact;
    int answer = clock_gettime(CLOCK_REALTIME, &exact);

    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return answer;
}

long time(long *now)
{
    struct timespec exact;

    clock_gettime(CLOCK_REALTIME, &exact);
    if (now)
        *now = exact.tv_sec;
    return exact.tv_sec;
}
