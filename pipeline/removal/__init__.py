"""The removal of objects from one photo: its request, the selected pixels, the filling of holes."""
