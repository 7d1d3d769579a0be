/* Around the function of the standard library that waits for a mutex (its name is WAIT): tells ThreadSanitizer that the mutex is taken. */
void waited(void *mutex) __asm__("__real_" WAIT);
void wait_and_tell(void *mutex) __asm__("__wrap_" WAIT);
void __tsan_acquire(void *address);

void wait_and_tell(void *mutex) {
    waited(mutex);
    __tsan_acquire(mutex);
}
