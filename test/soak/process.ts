// What the system knows of a process: its sockets and its memory (Linux).

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const LISTENING = '0A';

/**
 * TCP connections that the process holds, in any state, but those of its own port `exceptPort`: both ends and the state
 * as the kernel writes them, in hexadecimal digits, and the bytes that wait to be sent and to be read.
 */
export function listConnections(pid: number, exceptPort: number): string[] {
  const inodes = new Set<string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // It was closed meanwhile.
    }
  }
  const found: string[] = [];
  for (const table of ['tcp', 'tcp6']) {
    const [, ...lines] = readFileSync(`/proc/${pid}/net/${table}`, 'utf8').trimEnd().split('\n');
    for (const line of lines) {
      const columns = line.trim().split(/\s+/);
      const port = Number.parseInt(columns[1]!.split(':')[1]!, 16);
      if (!inodes.has(columns[9]!) || columns[3] === LISTENING || port === exceptPort) continue;
      found.push(columns.slice(1, 5).join(' '));
    }
  }
  return found;
}

/** Resident memory. */
export function readRssMib(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}
