import { PageHeader } from '../parts/page-header.tsx';

export const OverviewPage = () => <PageHeader title="Overview" />;
