let bytes: number | undefined;

/** Told when a backend is ready: the first time, notes what the process holds with its libraries loaded. */
export function noteRuntime(): void {
  bytes ??= process.memoryUsage.rss();
}

/** Resident bytes of the process when its first backend was ready, before any weight was loaded; undefined before that. */
export function runtimeBytes(): number | undefined {
  return bytes;
}
