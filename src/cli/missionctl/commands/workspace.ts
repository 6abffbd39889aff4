/** `workspace`: what the hosts hold of the repositories they work on. */
import { Command } from 'commander';
import { apiPath, show, withJson, type OutputOptions } from '../answer.ts';
import { connect } from '../connection.ts';
import { safe } from '../safe-text.ts';
import { table } from '../terminal.ts';
import { ageOf } from '../words.ts';

interface Host {
  host_id: string;
  worktrees: { repository_id: string; slot: number; holder: string | null; used_at: string; broken_reason: string | null }[];
  waiting: { repository_id: string; holder: string; asked_at: string }[];
  caches: { count: number; bytes: number };
  tidied_at: string | null;
  report: { count: number; failed: number; bytes: number; bundled: number } | null;
}

export const workspaceCommand = (): Command => new Command('workspace')
  .description('worktrees and caches of each host')
  .addCommand(withJson(new Command('list').description('who holds which worktree, who waits, and what the janitor removed'))
    .action(async (output: OutputOptions) =>
      show(output, await connect().send<{ items: Host[] }>('GET', apiPath('workspaces')), ({ items }) =>
        (items.length === 0 ? 'no host has worked on a repository yet' : items.map(hostText).join('\n\n')))));

const mib = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;

function hostText({ host_id, worktrees, waiting, caches, tidied_at, report }: Host): string {
  const lines = [`host ${safe(host_id)}: ${worktrees.length} worktrees, ${waiting.length} waiting, ${caches.count} kept setups (${mib(caches.bytes)})`];
  if (tidied_at !== null && report !== null) {
    lines.push(`tidied ${ageOf(tidied_at)} ago: ${report.count} removed (${mib(report.bytes)}), ${report.failed} could not be removed, ${report.bundled} bundled`);
  }
  if (worktrees.length > 0) {
    lines.push(table(['repository', 'slot', 'held by', 'used', 'problem'], worktrees.map((worktree) => [
      safe(worktree.repository_id), String(worktree.slot), safe(worktree.holder ?? ''), ageOf(worktree.used_at), safe(worktree.broken_reason ?? ''),
    ])));
  }
  if (waiting.length > 0) {
    lines.push(table(['waiting', 'repository', 'since'], waiting.map((ask) => [safe(ask.holder), safe(ask.repository_id), ageOf(ask.asked_at)])));
  }
  return lines.join('\n');
}
