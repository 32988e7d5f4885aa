export async function stageCommand(): Promise<number> { return 0; }
