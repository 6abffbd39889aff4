import { PageHeader } from '../parts/page-header.tsx';

export const SettingsPage = () => <PageHeader title="Settings" />;
