"""Work of minutes: processes of their own, watched through files in the workspace."""
