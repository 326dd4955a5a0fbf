"""The copy in the paired region: made by `copier`, brought back by `failback`. `vaults.copy_schedule` says when."""
