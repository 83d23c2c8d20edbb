"""Background work without any toolkit: pictures, meshes, model loading, jobs, and their pacing."""
