/**
 * Every page, in the order of the navigation. To add one:
 *  1. write `pages/<name>.tsx` with one exported component (its parts in `pages/<name>/`); it gets `params` of its path,
 *  2. add a line here; with `nav` it stands in the navigation, with `primary` in the phone's bottom bar, too,
 *  3. style what is its own in `pages/<name>.css`, imported by the page; colours and sizes from `styles/tokens.css` only.
 * Read live state from `store.ts`, everything else with `useResource` (`resource.ts`); write with `ActionButton`.
 */
import type { FunctionComponent } from 'preact';
import type { Permission } from '../../domain/actor.ts';
import { metrics } from '../store.ts';
// The one page that most people open first comes with the frame; every other one when it is opened.
import { OverviewPage } from './overview.tsx';

export interface PageProps { params: Record<string, string> }

export interface Page {
  path: string;
  title: string;
  load: () => Promise<FunctionComponent<PageProps>>;
  nav?: {
    /** What stands beside it: how many, and whether somebody is waited for. Null: nothing. */
    count?: () => { n: number; due: boolean } | null;
    primary?: boolean;
  };
  /** Without it the page is not offered. */
  needs?: Permission;
}

const counted = (n: number | undefined, due = false) => (n === undefined || n === 0 ? null : { n, due });

const running = () => {
  const missions = metrics.value?.missions;
  return counted(missions === undefined ? undefined : missions.open + missions.in_progress + missions.observing);
};

export const pages: readonly Page[] = [
  { path: '/', title: 'Overview', nav: { primary: true }, load: async () => OverviewPage },
  { path: '/missions', title: 'Missions', nav: { primary: true, count: running }, load: () => import('./missions.tsx').then((page) => page.MissionsPage) },
  { path: '/missions/:mission_id', title: 'Mission', load: () => import('./mission.tsx').then((page) => page.MissionPage) },
  {
    path: '/approvals', title: 'Approvals', needs: 'approval:read', nav: { primary: true, count: () => counted(metrics.value?.pending_approvals, true) },
    load: () => import('./approvals.tsx').then((page) => page.ApprovalsPage),
  },
  { path: '/approvals/:approval_id', title: 'Approval', needs: 'approval:read', load: () => import('./approval.tsx').then((page) => page.ApprovalPage) },
  { path: '/findings', title: 'Findings', needs: 'finding:read', nav: { count: () => counted(metrics.value?.open_findings) }, load: () => import('./findings.tsx').then((page) => page.FindingsPage) },
  { path: '/findings/:finding_id', title: 'Finding', needs: 'finding:read', load: () => import('./finding.tsx').then((page) => page.FindingPage) },
  { path: '/playbooks', title: 'Playbooks', needs: 'healing:read', nav: {}, load: () => import('./playbooks.tsx').then((page) => page.PlaybooksPage) },
  { path: '/playbooks/:playbook_id', title: 'Playbook', needs: 'healing:read', load: () => import('./playbook.tsx').then((page) => page.PlaybookPage) },
  { path: '/capa', title: 'CAPA', needs: 'capa:read', nav: { count: () => counted(metrics.value?.open_capas) }, load: () => import('./capa.tsx').then((page) => page.CapaPage) },
  { path: '/capa/:capa_id', title: 'CAPA', needs: 'capa:read', load: () => import('./capa-record.tsx').then((page) => page.CapaRecordPage) },
  { path: '/subsystems', title: 'Subsystems', needs: 'status:read', nav: {}, load: () => import('./subsystems.tsx').then((page) => page.SubsystemsPage) },
  { path: '/subsystems/:subsystem_id', title: 'Subsystem', needs: 'status:read', load: () => import('./subsystem.tsx').then((page) => page.SubsystemPage) },
  { path: '/ledger', title: 'Ledger', needs: 'ledger:read', nav: {}, load: () => import('./ledger.tsx').then((page) => page.LedgerPage) },
  { path: '/settings', title: 'Settings', nav: {}, load: () => import('./settings.tsx').then((page) => page.SettingsPage) },
];
