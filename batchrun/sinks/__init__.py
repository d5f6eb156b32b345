"""Where answers go besides the results file: functions, commands, folders. They neither ask nor keep records."""
