import { Card } from '../parts/card.tsx';
import { PageHeader } from '../parts/page-header.tsx';
import { Tabs } from '../parts/tabs.tsx';
import { may } from '../session.ts';
import { Keys } from './settings/keys.tsx';
import { Notifications } from './settings/notifications.tsx';
import { PolicyTab } from './settings/policy.tsx';
import { SigningKeys } from './settings/signing-keys.tsx';
import { System } from './settings/system.tsx';
import { You } from './settings/you.tsx';
import './settings.css';

const Both = () => <><Keys /><SigningKeys /></>;

/** Who one is here and what holds for everybody; only what this key may see is offered. */
export const SettingsPage = () => (
  <>
    <PageHeader title="Settings" />
    <Card title="Settings" class="settings">
      <Tabs label="Settings" tabs={[
        { id: 'you', label: 'You', show: () => <You /> },
        ...(may('key:manage') ? [{ id: 'keys', label: 'Keys', show: () => <Both /> }] : []),
        ...(may('policy:read') ? [{ id: 'policy', label: 'Policy', show: () => <PolicyTab /> }] : []),
        ...(may('notification:read') ? [{ id: 'notifications', label: 'Notifications', show: () => <Notifications /> }] : []),
        ...(may('status:read') ? [{ id: 'system', label: 'System', show: () => <System /> }] : []),
      ]} />
    </Card>
  </>
);
