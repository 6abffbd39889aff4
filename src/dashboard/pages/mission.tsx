import { PageHeader } from '../parts/page-header.tsx';

export const MissionPage = () => <PageHeader title="Mission" />;
