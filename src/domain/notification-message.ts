/** What a delivery says, in each channel's own form. Pure, and the same on every attempt. */
import { severities } from './mission.ts';
import { gravest } from './notification-groups.ts';
import type { DeliveryKind, Notification } from './notification.ts';
import { oneLine } from './plain-text.ts';

export interface Message {
  delivery_id: string;
  channel: string;
  kind: DeliveryKind;
  /** When it was closed. */
  at: string;
  /** In the order they happened. */
  notifications: Notification[];
}

/** How many notifications a message lists; the others are counted by kind. */
const listed = 50;

/** One line. A single notification speaks for itself. */
export function titleOf({ kind, notifications }: Message): string {
  const [first] = notifications;
  const count = notifications.length;
  if (first !== undefined && count === 1) return first.title;
  if (kind === 'digest') return `${count} notifications that came faster than this channel takes them`;
  return `${count} × ${kindWords(kind)}${first?.subsystem_id ? ` in ${oneLine(first.subsystem_id, 100)}` : ''}`;
}

const kindWords = (kind: DeliveryKind): string => kind.replaceAll('_', ' ');

/** `3 escalated, 1 parked` of what is not listed. */
function unlisted(notifications: readonly Notification[]): string | null {
  const rest = notifications.slice(listed);
  if (rest.length === 0) return null;
  const counts = new Map<DeliveryKind, number>();
  for (const { kind } of rest) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return `and ${rest.length} more: ${[...counts].map(([kind, count]) => `${count} ${kindWords(kind)}`).join(', ')}`;
}

const linkOf = (linkBase: string | undefined, link: string | null): string | null =>
  link === null ? null : `${linkBase ?? ''}${link}`;

/** Body of the signed webhook. */
export const webhookBody = (message: Message, linkBase: string | undefined): string => JSON.stringify({
  delivery_id: message.delivery_id, channel: message.channel, kind: message.kind, severity: severities[gravest(message.notifications)],
  at: message.at, title: titleOf(message), count: message.notifications.length,
  notifications: message.notifications.slice(0, listed).map((notification) => ({ ...notification, link: linkOf(linkBase, notification.link) })),
  more: unlisted(message.notifications),
});

/** Slack's three special characters: without them no text is a link, a mention or a command to tell everybody. */
export const escapeSlack = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Slack takes 3,000 characters a section and 50 blocks a message. */
const maxSection = 2_900;
const slackListed = 20;

/** Body of an incoming webhook of Slack, Mattermost and others that take its form. */
export function slackBody(message: Message, linkBase: string | undefined): string {
  const title = escapeSlack(titleOf(message));
  const section = (text: string) => ({ type: 'section', text: { type: 'plain_text', text, emoji: false } });
  const shown = message.notifications.slice(0, slackListed);
  const rest = message.notifications.length - shown.length;
  return JSON.stringify({
    text: title,
    blocks: [
      section(title),
      ...shown.map((notification) => section(linesOf(notification, linkBase).map(escapeSlack).join('\n').slice(0, maxSection))),
      ...(rest > 0 ? [section(`and ${rest} more: missionctl notifications list`)] : []),
    ],
  });
}

/** Body of an e-mail. */
export const mailBody = (message: Message, linkBase: string | undefined): string => [
  titleOf(message), '',
  ...message.notifications.slice(0, listed).flatMap((notification) => [...linesOf(notification, linkBase), '']),
  ...[unlisted(message.notifications)].filter((line) => line !== null),
  message.delivery_id, '',
].join('\n');

function linesOf({ at, severity, subsystem_id, title, body, link }: Notification, linkBase: string | undefined): string[] {
  const address = linkOf(linkBase, link);
  return [title, `${at}, severity ${severity}${subsystem_id === null ? '' : `, ${oneLine(subsystem_id, 100)}`}`, body, ...(address === null ? [] : [address])];
}
