/** The security scan of a change: secrets that the candidate brings in, found by secretlint. */
import { lintSource } from '@secretlint/core';
import { rules as recommended } from '@secretlint/secretlint-rule-preset-recommend';
import { SarifBuilder, SarifResultBuilder, SarifRuleBuilder, SarifRunBuilder } from 'node-sarif-builder';
import type { ScanLevel } from '../domain/policy.ts';
import { version } from '../project.ts';
import type { Git } from '../git/git.ts';
import { changesBetween } from '../git/vetting.ts';

export interface Finding {
  rule: string;
  level: ScanLevel;
  path: string;
  line: number;
  /** Never holds the secret itself. */
  message: string;
}

export interface Scan {
  findings: Finding[];
  scanned: number;
  /** Binary or too large: not looked into, and said so. */
  unscanned: string[];
}

const maxScannedBytes = 1024 * 1024;
const zero = /^0+$/;
// Without the preset's `secretlint-disable` comments: a patch must not choose its own judge.
const config = {
  rules: recommended.filter((rule) => rule.meta.id !== '@secretlint/secretlint-rule-filter-comments').map((rule) => ({ id: rule.meta.id, rule })),
};

/** Findings in the changed files that the base's version of the same file does not have. */
export async function scanChange(git: Git, gitDir: string, base: string, candidate: string): Promise<Scan> {
  const scan: Scan = { findings: [], scanned: 0, unscanned: [] };
  for (const change of await changesBetween(git, gitDir, base, candidate)) {
    if (!change.new_mode.startsWith('100')) continue;
    const text = await textOf(git, gitDir, change.new_blob);
    if (text === undefined) {
      scan.unscanned.push(change.path);
      continue;
    }
    scan.scanned += 1;
    const found = await secretsIn(change.path, text);
    if (found.length === 0) continue;
    const before = zero.test(change.old_blob) ? undefined : await textOf(git, gitDir, change.old_blob);
    const known = new Set((before === undefined ? [] : await secretsIn(change.path, before)).map((f) => f.fingerprint));
    scan.findings.push(...found.filter((f) => !known.has(f.fingerprint)).map(({ fingerprint: _, ...finding }) => finding));
  }
  return scan;
}

async function secretsIn(path: string, content: string): Promise<(Finding & { fingerprint: string })[]> {
  const result = await lintSource({
    source: { filePath: path, content, contentType: 'text', ext: path.slice(path.lastIndexOf('.')) },
    options: { config, maskSecrets: true, noPhysicFilePath: true },
  });
  return result.messages.map((message) => ({
    rule: message.ruleId, level: message.severity, path, line: message.loc.start.line,
    message: message.message.slice(0, 500),
    // What was found, not where: a line that only moved is not new. Stays in this process.
    fingerprint: `${message.ruleId}:${content.slice(message.range[0], message.range[1])}`,
  }));
}

async function textOf(git: Git, gitDir: string, blob: string): Promise<string | undefined> {
  const size = Number(await git.text(['cat-file', '-s', blob], { gitDir }));
  if (size > maxScannedBytes) return undefined;
  const { stdout } = await git.run(['cat-file', 'blob', blob], { gitDir });
  return stdout.includes(0) ? undefined : stdout.toString('utf8');
}

/** The findings as SARIF 2.1.0. */
export function toSarif(scan: Scan): string {
  const builder = new SarifBuilder();
  const run = new SarifRunBuilder().initSimple({ toolDriverName: 'mission-control', toolDriverVersion: version, url: 'https://github.com/secretlint/secretlint' });
  for (const rule of new Set(scan.findings.map((finding) => finding.rule))) {
    run.addRule(new SarifRuleBuilder().initSimple({ ruleId: rule, shortDescriptionText: rule }));
  }
  for (const finding of scan.findings) {
    run.addResult(new SarifResultBuilder().initSimple({
      ruleId: finding.rule, level: finding.level === 'info' ? 'note' : finding.level, messageText: finding.message,
      fileUri: finding.path.split('/').map(encodeURIComponent).join('/'), startLine: finding.line,
    }));
  }
  builder.addRun(run);
  return builder.buildSarifJsonString({ indent: true });
}
