/**
 * Settings of the embedded server, given on its command line at every start so that a run folder made by an earlier
 * version gets today's. The database is a cache, but one that is corrupt without saying so would be worse than none:
 * fsync and full_page_writes keep their defaults (on).
 */
export const serverSettings: Readonly<Record<string, string>> = {
  // Only the private socket: no port to collide, nobody else to connect.
  listen_addresses: '',
  unix_socket_permissions: '0700',
  max_connections: '50',
  shared_buffers: '128MB',
  // Sorting a shard of links by hash, and the array of row addresses of a draw.
  work_mem: '32MB',
  maintenance_work_mem: '64MB',
  // Parallel plans want /dev/shm, which a container may have 64 MB of; our queries do not need them.
  max_parallel_workers_per_gather: '0',
  max_wal_size: '1GB',
  // Neither replication nor archiving: less to write, and no launcher process.
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_logical_replication_workers: '0',
  // Draws delete as many rows as ingest adds. Measured: with 3 s the table stayed at 239 MB under 100 k rows/s in
  // and out; with the default of a minute it grew past 1.1 GB.
  autovacuum_naptime: '3s',
  autovacuum_vacuum_cost_delay: '0',
  jit: 'off',
  timezone: 'UTC',
  log_checkpoints: 'off',
  log_timezone: 'UTC',
};
