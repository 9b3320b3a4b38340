// System calls of Linux on x86-64, made here since the library links no libc.
#pragma once

enum { SYS_rt_sigprocmask = 14, SYS_arch_prctl = 158, SYS_futex = 202 };

static inline long call(long number, long a, long b, long c, long d) {
  long result;
  register long fourth __asm__("r10") = d;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth) : "rcx", "r11", "memory");
  return result;
}
