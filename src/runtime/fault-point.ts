/**
 * A named point at which the process group kills itself (SIGKILL), for the kill tests: `STAGE.POINT` or
 * `STAGE.POINT:N` for its Nth passing in one thread. Without one, passing a point does nothing.
 */
export function faultPoint(killAt: string | undefined): (point: string) => void {
  if (!killAt) return () => undefined;
  const [name, count = '1'] = killAt.split(':');
  let passed = 0;
  return (point) => {
    if (point !== name || ++passed < Number(count)) return;
    // Process group 0 is our own: PostgreSQL and the worker threads go with it, as with kill -9 of the group.
    process.kill(0, 'SIGKILL');
    // The signal comes at once, but not before the next instruction: nothing may run on.
    for (;;);
  };
}
