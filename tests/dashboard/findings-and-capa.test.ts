/** Findings, playbooks and CAPA as people see them: a real browser on a real system. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Role } from '../../src/domain/actor.ts';
import { bringTo, moveCapa, openCapa, readCapa } from '../support/capa.ts';
import { expectAccessible, openBrowser, type Seen, type TestBrowser } from '../support/browser.ts';
import { rowCounts } from '../support/http.ts';
import { calculator, fixedAdd } from '../support/repository.ts';
import { startSystem, testMetric, type System } from '../support/system.ts';

const english = { locale: 'en-US' };
let system: System;
let browser: TestBrowser;
let anna: Seen;
const pidFile = (): string => join(system.home, 'web.pid');

beforeAll(async () => {
  [system, browser] = await Promise.all([startSystem(), openBrowser()]);
  const argv = [process.execPath, '-e', 'setInterval(() => undefined, 1000)'];
  await system.configure('subsystems.yaml', stringify({
    subsystems: {
      // Looked at each second, so that a silence is seen as soon.
      shop: {
        name: 'The shop', probes: [{ id: 'well', kind: 'command', argv: ['true'], interval_seconds: 1, symptom: 'shop_odd' }],
        resources: { web: { kind: 'service', manager: { kind: 'process', instances: [{ id: 'web1', pid_file: pidFile(), argv, cwd: system.home }] } } },
      },
    },
  }));
  await system.configure('playbooks.yaml', stringify({ playbooks: [{ playbook: 'restart_service', subsystem: 'shop', resource: 'web' }] }));
  await system.startWorker();
  anna = await browser.signedIn(system, 'anna', 'admin', english);
});
afterAll(async () => {
  await browser?.close();
  await system?.stop();
});

const open = async (path: string, { page }: Seen = anna): Promise<void> => {
  await page.goto(`${system.url}${path}`);
  await page.locator('main .top h1').waitFor();
};
const signal = async (rule: string, summary: string): Promise<void> => {
  const agent = await system.as('watcher', 'agent');
  await agent.post('/mission-control/signals', { rule, subsystem_id: 'shop', severity: 'high', status: 'firing', summary });
};

describe('findings', () => {
  test('one that is opened appears without a reload, is silenced, and fires again when the silence is ended', async () => {
    const { page, errors } = anna;
    await open('/findings');
    await page.evaluate('window.sameDocument = true');
    await signal('slow-orders', 'orders take two seconds');
    await page.getByRole('link', { name: /orders take two seconds/ }).click();
    await page.getByRole('heading', { level: 1, name: 'orders take two seconds' }).waitFor();
    await page.getByText('it names no symptom, so no playbook can match it').waitFor();

    await page.getByRole('button', { name: 'Silence this finding' }).click();
    await page.getByLabel(/Reason/).fill('the shop moves house');
    await page.getByRole('button', { name: 'Silence', exact: true }).click();
    await page.locator('header').getByText('silenced', { exact: true }).waitFor();
    expect((await system.db.database.query<{ reason: string }>('SELECT reason FROM silences'))).toEqual([{ reason: 'the shop moves house' }]);

    await page.getByRole('link', { name: /^Findings/ }).click();
    await page.getByText('the shop moves house').waitFor();
    await page.getByRole('button', { name: 'End', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'End silence' }).click();
    await page.getByRole('link', { name: /orders take two seconds/ }).getByText('firing', { exact: true }).waitFor();
    await page.getByText('Nothing is silenced').waitFor();
    expect(await page.evaluate('window.sameDocument'), 'the page was never loaded anew').toBe(true);
    expect(errors).toEqual([]);
  });
});

describe('playbooks', () => {
  test('a plan shows what would be done, and does none of it', async () => {
    const { page, errors } = anna;
    await open('/playbooks/restart_service');
    await page.getByRole('button', { name: 'Show the plan' }).click();
    await page.getByText('web1, which does not run, is started').waitFor();
    await page.getByText('Nothing was changed.').waitFor();
    expect(existsSync(pidFile()), 'nothing was started').toBe(false);
    const counts = await rowCounts(system.db.database);
    expect(counts['healing_runs']).toBe(0);
    expect(await system.db.database.query("SELECT 1 FROM events WHERE type IN ('healing.step_started', 'approval.requested')")).toEqual([]);
    expect(errors).toEqual([]);
  });

  test('running one asks first, and names what it means', async () => {
    const { page } = anna;
    const missions = async (): Promise<number> => (await rowCounts(system.db.database))['missions']!;
    const before = await missions();
    await page.getByRole('button', { name: 'Run …' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Run restart_service on shop/web?').waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    expect(await missions()).toBe(before);
  });
});

describe('capa', () => {
  test('a record goes one step: what lacks is said, filled in, and then it moves', async () => {
    const { page, errors } = anna;
    const olga = await system.as('olga', 'operator');
    await open('/capa');
    const { capa_id: id } = await openCapa(olga, 'orders are lost when the mesh rebalances');
    await page.getByRole('region', { name: 'Opened, 1 record' }).getByRole('link', { name: /orders are lost/ }).click();
    const triage = page.getByRole('button', { name: 'Triage' });
    await page.getByText('risk: is not rated').waitFor();
    expect(await triage.isDisabled()).toBe(true);

    await page.getByRole('button', { name: 'Edit type and risk' }).click();
    for (const [name, value] of [['Severity', '7'], ['Occurrence', '3'], ['Detection', '2']] as const) await page.getByLabel(new RegExp(`^${name}`)).fill(value);
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('severity 7 × occurrence 3 × detection 2').waitFor();
    await triage.click();
    await page.getByRole('dialog').getByRole('button', { name: 'Triage' }).click();
    await page.locator('header').getByText('triaged', { exact: true }).waitFor();
    expect(await readCapa(olga, id)).toMatchObject({ state: 'TRIAGED', risk: { severity: 7, occurrence: 3, detection: 2 }, decisions: [{ to: 'TRIAGED', by: 'anna' }] });
    expect(errors).toEqual([]);
  });

  test('a plan is written and proposed with the page alone, and an action gets its mission', async () => {
    const { page, errors } = anna;
    const people = { olga: await system.as('olga', 'operator'), abe: await system.as('abe', 'approver'), rita: await system.as('rita', 'approver') };
    const { capa_id: id } = await openCapa(people.olga);
    await bringTo(people, id, 'INVESTIGATING', { metric_id: testMetric });
    await open(`/capa/${id}`);
    const edit = async (what: string, fill: () => Promise<void>): Promise<void> => {
      await page.getByRole('button', { name: `Edit ${what}` }).click();
      await fill();
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByRole('button', { name: `Edit ${what}` }).waitFor();
    };
    await edit('investigation', async () => {
      await page.getByLabel(/^Root cause/).selectOption('found');
      await page.getByLabel(/^The root cause/).fill('a lock is held too long');
    });
    await edit('actions', async () => {
      await page.getByLabel('Owner').fill('olga');
      await page.getByLabel('What is done').fill('shorten the lock');
    });
    await edit('effectiveness criterion', async () => {
      await page.getByLabel('Metric, from the catalog').fill(testMetric);
      await page.getByLabel('Target').fill('1');
    });
    expect(await readCapa(people.olga, id)).toMatchObject({ criterion: { metric_id: testMetric, aggregation: 'avg', comparator: '<', target: 1 } });
    // What was chosen is chosen when the form is opened again.
    await page.getByRole('button', { name: 'Edit investigation' }).click();
    expect(await page.getByLabel(/^Root cause/).inputValue()).toBe('found');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Propose the plan' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Propose the plan' }).click();
    await page.getByText('wrote or proposed the plan; somebody else approves it').waitFor();

    await moveCapa(people.abe, id, 'PLAN_APPROVED');
    await moveCapa(people.olga, id, 'IMPLEMENTING');
    const repository = system.repository(calculator);
    await page.getByRole('button', { name: 'Start mission' }).click();
    await page.getByLabel('Path of the repository').fill(repository.path);
    await page.getByLabel(/as a diff/).fill(repository.diff(fixedAdd));
    await page.getByLabel('Start it at once').uncheck();
    await page.getByRole('button', { name: 'Make the mission' }).click();
    await page.getByRole('link', { name: /^mission_/ }).first().waitFor();
    const { actions: [action] } = await readCapa(people.olga, id);
    expect(action).toMatchObject({ description: 'shorten the lock', owner: 'olga', missions: [expect.stringMatching(/^mission_/)] });
    expect(await system.mission(action!.missions[0]!)).toMatchObject({ status: 'open', severity: 'high', labels: [id] });
    expect(errors).toEqual([]);
  });

  test('an edit of a version that is gone is refused and said', async () => {
    const { page } = anna;
    const olga = await system.as('olga', 'operator');
    const { capa_id: id, version } = await openCapa(olga);
    await open(`/capa/${id}`);
    await page.getByRole('button', { name: 'Edit problem' }).click();
    await olga.send('PATCH', `/mission-control/capa/${id}`, { version, problem_statement: 'what olga wrote' });
    await page.getByText('Somebody changed the record meanwhile').waitFor();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('status').getByText('Not done').waitFor();
    expect((await readCapa(olga, id)).problem_statement).toBe('what olga wrote');
  });

  test('who may not decide is offered nothing that would be refused', async () => {
    const people = { olga: await system.as('olga', 'operator'), abe: await system.as('abe', 'approver'), rita: await system.as('rita', 'approver') };
    const { capa_id: id } = await openCapa(people.olga);
    await bringTo(people, id, 'PLAN_PROPOSED', { metric_id: testMetric });
    const see = (who: string, role: Role) => browser.signedIn(system, who, role, { ...english, to: `/capa/${id}` });
    const { page: olga } = await see('olga', 'operator');
    await olga.getByRole('button', { name: 'Back to investigating' }).waitFor();
    expect(await olga.getByRole('button', { name: 'Approve the plan' }).count()).toBe(0);
    const { page: abe } = await see('abe', 'approver');
    await abe.getByRole('button', { name: 'Approve the plan' }).waitFor();
    expect(await abe.getByRole('button', { name: 'Approve the plan' }).isEnabled()).toBe(true);
    const { page: vera } = await see('vera', 'viewer');
    await vera.getByText('Somebody else decides what comes next').waitFor();
    expect(await vera.getByRole('button', { name: /^Edit|Void/ }).count()).toBe(0);
  });
});

test('nothing stands in the way of a screen reader, and a phone never scrolls sideways', async () => {
  const { page, errors } = anna;
  const [finding] = await system.db.database.query<{ finding_id: string }>("SELECT finding_id FROM findings WHERE rule_id LIKE 'signal:%' LIMIT 1");
  const [capa] = await system.db.database.query<{ capa_id: string }>('SELECT capa_id FROM capas ORDER BY capa_id LIMIT 1');
  for (const path of ['/findings', `/findings/${finding!.finding_id}`, '/playbooks', '/playbooks/restart_service', '/capa', '/capa?tab=trends', '/capa?new=1', `/capa/${capa!.capa_id}`]) {
    await page.setViewportSize({ width: 1_440, height: 900 });
    await open(path);
    await page.locator('main .card').first().waitFor();
    await page.locator('main .loading').first().waitFor({ state: 'detached' });
    await expectAccessible(anna);
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), path).toBeLessThanOrEqual(0);
  }
  expect(errors).toEqual([]);
}, 180_000);
