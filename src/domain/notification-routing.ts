/** Which notification goes to which channels: a pure function of the routes. */
import type { Severity } from './mission.ts';
import type { Notification, NotificationKind } from './notification.ts';

export interface Route {
  /** Left out: all of them. */
  kinds?: NotificationKind[] | undefined;
  severities?: Severity[] | undefined;
  /** Globs over subsystem ids. */
  subsystems?: string[] | undefined;
  channels: string[];
  /** What comes within this time of the first is told in one message. */
  group_seconds: number;
}

interface ChannelLimit { per_hour: number }

interface WebhookChannel extends ChannelLimit { kind: 'webhook'; url?: string | undefined; url_env?: string | undefined; secret_env: string }
interface SlackChannel extends ChannelLimit { kind: 'slack'; url?: string | undefined; url_env?: string | undefined }
export interface EmailChannel extends ChannelLimit {
  kind: 'email';
  host: string;
  port: number;
  security: 'tls' | 'starttls' | 'none';
  from: string;
  to: string[];
  user_env?: string | undefined;
  password_env?: string | undefined;
}
export type Channel = WebhookChannel | SlackChannel | EmailChannel;

export interface NotificationConfig {
  /** Where people reach the API; links in messages start with it. */
  link_base?: string | undefined;
  channels: Record<string, Channel>;
  routes: Route[];
}

/** One notification for one channel. */
export interface Routed { channel: string; group_seconds: number; notification: Notification }

/** Whether a glob means a text; handed in because the domain reads no globs itself. */
export type Matches = (globs: readonly string[], text: string) => boolean;

/**
 * Once for each channel that a route names, however many routes name it; the most urgent of them sets the grouping.
 * @param tried the channel that a test message is for
 */
export function routesOf(config: NotificationConfig, notification: Notification, tried: string | null, matches: Matches): Routed[] {
  const { kind } = notification;
  if (kind === 'test') return tried === null ? [] : [{ channel: tried, group_seconds: 0, notification }];
  const seconds = new Map<string, number>();
  for (const route of config.routes) {
    if (!takes(route, kind, notification, matches)) continue;
    for (const channel of route.channels) seconds.set(channel, Math.min(seconds.get(channel) ?? Infinity, route.group_seconds));
  }
  return [...seconds].map(([channel, group_seconds]) => ({ channel, group_seconds, notification }));
}

function takes(route: Route, kind: NotificationKind, { severity, subsystem_id }: Notification, matches: Matches): boolean {
  return (route.kinds?.includes(kind) ?? true)
    && (route.severities?.includes(severity) ?? true)
    // What concerns the whole system concerns every subsystem.
    && (route.subsystems === undefined || subsystem_id === null || matches(route.subsystems, subsystem_id));
}
